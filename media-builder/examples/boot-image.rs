fn main() {
    let a: Vec<String> = std::env::args().collect();
    let o = media_builder::boot_image::Options {
        suite: a.get(5).cloned().unwrap_or("trixie".into()),
        output: a[1].clone().into(),
        runtime: a[2].clone().into(),
        wim_worker: a[3].clone().into(),
        cache: a[4].clone().into(),
        source_date_epoch: 1_700_000_000,
    };
    let t = std::time::Instant::now();
    let mut last = String::new();
    match media_builder::boot_image::build(&o, &mut |p, d, n| {
        if p != last || d == n {
            eprintln!("{:6.1}s {p} {d}/{n}", t.elapsed().as_secs_f64());
            last = p.to_owned();
        }
    }) {
        Ok(i) => {
            for m in &i.manifest.members {
                println!(
                    "{:>10} {:>10} {} {:?}",
                    i.offsets[&m.path], m.size, m.path, m.package
                );
            }
            println!(
                "unpacked {} modules {} packages {:?}",
                i.manifest.initramfs_unpacked,
                i.manifest.modules.len(),
                i.manifest.packages
            );
            media_builder::boot_image::verify(&i.path)
                .map(drop)
                .unwrap_or_else(|e| println!("{e}"));
            println!("{:.1}s", t.elapsed().as_secs_f64());
        }
        Err(e) => {
            eprintln!("{e}");
            std::process::exit(1)
        }
    }
}
