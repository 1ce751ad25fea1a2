//! What is typed at the console.

use windows_sys::Win32::System::Console::{
    ENABLE_ECHO_INPUT, GetConsoleMode, GetStdHandle, STD_INPUT_HANDLE, SetConsoleMode,
};

/// Does something while the console shows nothing of what is typed; where the input is no console, nothing is shown anyway.
pub(in super::super) fn silently<T>(act: impl FnOnce() -> T) -> T {
    let mut mode = 0;
    // SAFETY: the handle is the process's own and stays open; the number outlives the call.
    let console = unsafe {
        let input = GetStdHandle(STD_INPUT_HANDLE);
        (GetConsoleMode(input, &mut mode) != 0).then_some(input)
    };
    let set = |mode| {
        if let Some(input) = console {
            // SAFETY: as above.
            unsafe { SetConsoleMode(input, mode) };
        }
    };
    set(mode & !ENABLE_ECHO_INPUT);
    let done = act();
    set(mode);
    done
}
