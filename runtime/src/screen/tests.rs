//! What stands on the screen, by the events of a run.

use media_format::event::Environment;

use super::line::{COLUMNS, Line};
use super::*;

fn state(events: &[Event]) -> State {
    let mut state = State::default();
    events.iter().for_each(|event| state.note(event, Duration::ZERO));
    state
}

fn text(state: &State, seconds: u64) -> String {
    let lines = state.lines(Duration::from_secs(seconds));
    lines.iter().map(|line| line.plain() + "\n").collect()
}

fn ended(name: &str, outcome: &str) -> Event {
    Event::StepEnded {
        name: name.into(),
        outcome: outcome.into(),
        code: 0,
        reason: None,
    }
}

#[test]
fn what_has_ended_stands_above_with_its_time_and_never_fills_the_screen() {
    let mut state = State::default();
    let step = Event::Step {
        number: 2,
        of: 30,
        name: "Apply".into(),
        kind: "x".into(),
    };
    state.note(&ended("Restart", "skipped"), Duration::from_secs(5));
    state.note(&step, Duration::from_secs(5));
    state.note(&ended("Apply", "done"), Duration::from_secs(70));
    let shown = text(&state, 71);
    assert!(
        shown.contains("  skipped  0:00:00  Restart\n  done     0:01:05  Apply\n"),
        "{shown}"
    );
    for number in 0..30 {
        state.note(&step, Duration::ZERO);
        state.note(
            &ended(&format!("{number} {}", "long ".repeat(20)), "done"),
            Duration::ZERO,
        );
    }
    state.note(&step, Duration::ZERO);
    let lines = state.lines(Duration::ZERO);
    assert!(lines.len() <= 24, "{lines:#?}");
    let widest = lines
        .iter()
        .map(|line| without_styles(&line.drawn()).chars().count())
        .max();
    assert!(widest <= Some(COLUMNS), "{widest:?}");
    assert!(text(&state, 0).contains("29 long"));
}

/// What a terminal shows of a text.
fn without_styles(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| {
        shown + part.split_once('m').map_or("", |(_, rest)| rest)
    })
}

#[test]
fn a_running_step_shows_its_progress_and_the_time_that_is_left() {
    let state = state(&[
        Event::Step {
            number: 3,
            of: 9,
            name: "Apply".into(),
            kind: "x".into(),
        },
        Event::Progress {
            phase: "applying".into(),
            done: 50,
            total: 100,
        },
    ]);
    let text = text(&state, 60);
    assert!(
        text.contains("step 3 of 9, in ") && text.contains(" 50 %, about 0:01:00 left"),
        "{text}"
    );
    assert!(text.contains("  runs     0:01:00  Apply\n"), "{text}");
}

#[test]
fn in_an_installed_system_the_cursor_stays_where_somebody_types() {
    let mut screen = Screen::new();
    for (environment, moved) in [(Environment::Pe, false), (Environment::Os, true)] {
        screen.show(&Event::Started {
            media: "m".into(),
            organization: String::new(),
            sequence: "Build".into(),
            environment,
            resumed: false,
            elapsed: 0,
        });
        let again = screen.again().unwrap_or_default();
        assert!(again.contains("Build"), "{again:?}");
        assert_eq!(again.starts_with("\x1b7") && again.ends_with("\x1b8"), moved);
        assert_eq!(again.ends_with("\x1b[J"), !moved);
    }
}

#[test]
fn the_organization_stands_above_and_takes_no_line_more() {
    let of = |organization: &str| {
        let started = Event::Started {
            media: "m".into(),
            organization: organization.into(),
            sequence: "Build".into(),
            environment: Environment::Pe,
            resumed: false,
            elapsed: 0,
        };
        text(&state(&[started]), 0)
    };
    let (with, without) = (of("Example Ltd."), of(""));
    assert!(with.starts_with("  Example Ltd.\n  Build\n"), "{with}");
    assert!(without.starts_with("\n  Build\n"), "{without}");
    assert_eq!(with.lines().count(), without.lines().count());
}

#[test]
fn before_the_first_step_no_number_is_shown() {
    let verifying = Event::Progress {
        phase: "verifying".into(),
        done: 50,
        total: 100,
    };
    let text = text(&state(&[verifying]), 0);
    assert!(
        text.contains("Checks before the first step") && !text.contains("of 0"),
        "{text}"
    );
}

#[test]
fn a_long_reason_stays_on_the_screen() {
    let reason = "the image needs room and the volume has none ".repeat(6);
    let state = state(&[Event::Ended {
        succeeded: false,
        reason: Some(reason.clone()),
        captured: None,
        log: None,
    }]);
    let lines: Vec<_> = state.lines(Duration::ZERO).iter().map(Line::plain).collect();
    assert!(lines.iter().all(|line| line.len() <= COLUMNS), "{lines:#?}");
    let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
    assert!(words.join(" ").contains(reason.trim()), "{lines:#?}");
}

/// The run went on after the step, and then something else ended it.
#[test]
fn the_reason_shown_is_the_one_that_ended_the_run() {
    let failed = Event::StepEnded {
        name: "Optional".into(),
        outcome: "failed".into(),
        code: 1,
        reason: Some("no such package".into()),
    };
    let ended = |reason: &str| Event::Ended {
        succeeded: false,
        reason: Some(reason.into()),
        captured: None,
        log: None,
    };
    let other = text(
        &state(&[failed.clone(), ended("the machine restarts for ever")]),
        0,
    );
    assert!(other.contains("Reason: the machine restarts for ever"), "{other}");
    assert!(!other.contains("no such package"), "{other}");
    let same = text(
        &state(&[failed, ended("step \"Optional\" failed with 1: no such package")]),
        0,
    );
    assert!(
        same.contains("Step:   Optional") && same.contains("Code:   1"),
        "{same}"
    );
}

#[test]
fn a_failure_shows_step_reason_code_and_log() {
    let events = [
        Event::StepEnded {
            name: "Apply".into(),
            outcome: "failed".into(),
            code: 0x8000_4005,
            reason: Some("no room".into()),
        },
        Event::Ended {
            succeeded: false,
            reason: None,
            captured: None,
            log: Some("/x/smsts.log".into()),
        },
    ];
    let text = text(&state(&events), 0);
    for part in [
        "Apply",
        "no room",
        "2147500037 (0x80004005)",
        "/x/smsts.log",
        "FAILED",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut screen = Screen::new();
    screen.show(&events[0]);
    assert_eq!(screen.failure(), None, "it may go on");
    screen.show(&events[1]);
    let window = "THE TASK SEQUENCE HAS FAILED\nStep:   Apply\nReason: no room\n\
                  Code:   2147500037 (0x80004005)\nLog:    /x/smsts.log";
    assert_eq!(screen.failure().as_deref(), Some(window));
}

#[test]
fn a_success_is_no_failure() {
    let mut screen = Screen::new();
    screen.show(&Event::Ended {
        succeeded: true,
        reason: None,
        captured: None,
        log: None,
    });
    assert_eq!(screen.failure(), None);
}

fn failed_start() -> [Event; 2] {
    let ended = Event::Ended {
        succeeded: false,
        reason: Some("no disk".into()),
        captured: None,
        log: Some("X:\\log\\smsts.log, in memory".into()),
    };
    let copied = Event::LogCopied {
        log: "logs/failed_start/smsts.log on the media".into(),
    };
    [ended, copied]
}

#[test]
fn a_copy_of_the_log_stands_below_the_log() {
    let shown = text(&state(&failed_start()), 0);
    let end = "  Reason: no disk\n  Log:    X:\\log\\smsts.log, in memory\n  \
               Copy:   logs/failed_start/smsts.log on the media\n";
    assert!(shown.ends_with(end), "{shown}");
}

#[test]
fn a_console_that_is_not_drawn_on_gets_the_same_lines() {
    let lines: Vec<String> = failed_start().iter().filter_map(plain).collect();
    assert_eq!(
        lines,
        [
            "\nTHE TASK SEQUENCE HAS FAILED\nReason: no disk\nLog:    X:\\log\\smsts.log, in memory",
            "Copy:   logs/failed_start/smsts.log on the media",
        ]
    );
}
