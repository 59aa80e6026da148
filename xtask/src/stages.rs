//! The stages of `cargo xtask test`: what each runs and how long it may take.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::test::Length;
use crate::{cargo, fuzz, uml};

/// One stage.
pub struct Stage {
    /// Its name, for `--stage`.
    pub name: &'static str,
    /// What it holds, in words.
    pub about: &'static str,
    /// Seconds it may take in the test command; soak has [`SOAK_FACTOR`] times as many.
    pub budget: u64,
    /// Does it; whether it passed.
    pub run: fn(&Run<'_>) -> Result<bool>,
}

/// What a stage is given.
pub struct Run<'a> {
    /// How much is run.
    pub length: Length,
    /// Where the whole output goes.
    pub log: &'a Path,
    /// When it must be over.
    pub deadline: Instant,
}

/// How many times longer a stage of soak may take.
pub const SOAK_FACTOR: u64 = 12;

/// In the order they run: cheap ones first, so that a small mistake is told early.
pub const STAGES: &[Stage] = &[
    Stage {
        name: "fmt",
        about: "formatting",
        budget: 60,
        run: fmt,
    },
    Stage {
        name: "clippy",
        about: "clippy, warnings denied",
        budget: 420,
        run: clippy,
    },
    Stage {
        name: "tidy",
        about: "directions of dependencies, forbidden calls and words",
        budget: 240,
        run: tidy,
    },
    Stage {
        name: "unit",
        about: "unit, property and wire tests of every crate",
        budget: 480,
        run: unit,
    },
    Stage {
        name: "vectors",
        about: "the protocol crates against the vectors in VECTORS_DIR",
        budget: 120,
        run: vectors,
    },
    Stage {
        name: "scenario",
        about: "golden scenarios and stories of the planner on a simulated host",
        budget: 120,
        run: scenario,
    },
    Stage {
        name: "testbed",
        about: "the testbed proves itself with flows programmed by hand",
        budget: 120,
        run: testbed,
    },
    Stage {
        name: "ovs",
        about: "the agent against real ovsdb-server and ovs-vswitchd",
        budget: 480,
        run: ovs,
    },
    Stage {
        name: "kernel",
        about: "against this kernel, in namespaces",
        budget: 120,
        run: kernel,
    },
    Stage {
        name: "uml",
        about: "the tests of `ovs` on openvswitch.ko, in user-mode Linux",
        budget: 600,
        run: uml_stage,
    },
    Stage {
        name: "docs",
        about: "documentation builds without a warning",
        budget: 180,
        run: docs,
    },
    Stage {
        name: "bench",
        about: "benches build",
        budget: 720,
        run: bench,
    },
    Stage {
        name: "fuzz",
        about: "fuzz targets build, and run for a while",
        budget: 480,
        run: fuzz_stage,
    },
];

/// Prints names, budgets and purposes.
pub fn list() {
    for stage in STAGES {
        println!("{:<10} {:>4} s  {}", stage.name, stage.budget, stage.about);
    }
}

/// A fresh log file for a stage.
pub fn log_file(stage: &str) -> Result<PathBuf> {
    let dir = cargo::target_dir().join("xtask");
    std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    let path = dir.join(format!("{stage}.log"));
    std::fs::write(&path, "")?;
    Ok(path)
}

impl Run<'_> {
    fn cargo(&self, args: &[&str]) -> Result<bool> {
        self.cargo_env(args, &[])
    }

    fn cargo_env(&self, args: &[&str], env: &[(&str, &str)]) -> Result<bool> {
        let mut command = cargo::command(args);
        command.envs(env.iter().copied());
        if let Length::Full = self.length {
            command.envs([
                ("VIFD_KILL_POINTS", "200"),
                ("VIFD_SOAK", "1"),
                ("PROPTEST_CASES", "20000"),
            ]);
        }
        cargo::watch(command, self.log, self.deadline)
    }

    /// The root package's integration tests whose name has one of the prefixes, in one cargo call; fails if there is none.
    fn integration(&self, prefixes: &[&str], options: &[&str]) -> Result<bool> {
        let names: Vec<String> = integration_tests()?
            .into_iter()
            .filter(|n| begins(n, prefixes))
            .collect();
        if names.is_empty() {
            println!("    no test program named {prefixes:?}");
            return Ok(false);
        }
        let mut args = vec!["test", "-p", "vifd", "--no-fail-fast"];
        for name in &names {
            args.extend(["--test", name]);
        }
        args.push("--");
        args.extend(options);
        self.cargo(&args)
    }
}

/// Names of the root package's integration tests.
fn integration_tests() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(cargo::root().join("tests"))? {
        let path = entry?.path();
        let is_test = path.extension().is_some_and(|e| e == "rs") || path.join("main.rs").exists();
        if let (true, Some(stem)) = (is_test, path.file_stem().and_then(|s| s.to_str())) {
            names.push(stem.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn begins(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// Integration tests against a real switch, by the beginning of their names.
pub const SWITCH: &[&str] = &["ovs_", "exec_ovsdb", "exec_openflow"];
/// Against this kernel.
const KERNEL: &[&str] = &["kernel", "exec_rtnl"];
/// Those and the others that have a stage of their own.
const OWN_STAGE: &[&str] = &[
    "tidy",
    "scenario",
    "ovs_",
    "exec_ovsdb",
    "exec_openflow",
    "kernel",
    "exec_rtnl",
];

fn fmt(run: &Run<'_>) -> Result<bool> {
    let workspace = run.cargo(&["fmt", "--all", "--check"])?;
    let fuzz = run.cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])?;
    Ok(workspace && fuzz)
}

fn clippy(run: &Run<'_>) -> Result<bool> {
    run.cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])
}

fn tidy(run: &Run<'_>) -> Result<bool> {
    run.integration(&["tidy"], &[])
}

fn unit(run: &Run<'_>) -> Result<bool> {
    let mut args = vec![
        "test",
        "--workspace",
        "--exclude",
        "vifd",
        "--exclude",
        "vifd-testbed",
    ];
    // The encoder against libnftnl: a C library that only this test may need.
    args.extend(["--features", "vifd-nft/oracle-nftnl", "--no-fail-fast"]);
    let crates = run.cargo(&args)?;
    let agent = run.cargo(&["test", "-p", "vifd", "--lib", "--bins", "--no-fail-fast"])?;
    let documents = run.cargo(&["test", "-p", "vifd", "--doc"])?;
    let others: Vec<String> = integration_tests()?
        .into_iter()
        .filter(|name| !begins(name, OWN_STAGE))
        .collect();
    let mut rest = true;
    if !others.is_empty() {
        let mut args = vec!["test", "-p", "vifd", "--no-fail-fast"];
        for name in &others {
            args.extend(["--test", name]);
        }
        rest = run.cargo(&args)?;
    }
    Ok(crates && agent && documents && rest)
}

/// The vectors are data that is not part of this repository; the two crates' own small ones run in `unit`.
fn vectors(run: &Run<'_>) -> Result<bool> {
    let tests = [
        "test",
        "-p",
        "vifd-ofproto",
        "-p",
        "vifd-ovsdb",
        "--no-fail-fast",
        "--test",
        "vectors",
    ];
    let Ok(dir) = std::env::var("VECTORS_DIR") else {
        println!("    VECTORS_DIR is not set: the vectors kept in the crates");
        return run.cargo(&tests);
    };
    run.cargo_env(&tests, &[("VECTORS_DIR", &dir)])
}

fn scenario(run: &Run<'_>) -> Result<bool> {
    let stories = run.cargo(&["test", "-p", "vifd", "--lib", "plan::tests::story"])?;
    Ok(run.integration(&["scenario"], &[])? && stories)
}

fn testbed(run: &Run<'_>) -> Result<bool> {
    run.cargo(&["test", "-p", "vifd-testbed"])
}

fn ovs(run: &Run<'_>) -> Result<bool> {
    run.integration(SWITCH, &["--test-threads=1"])
}

fn kernel(run: &Run<'_>) -> Result<bool> {
    run.integration(KERNEL, &["--test-threads=1"])
}

fn uml_stage(run: &Run<'_>) -> Result<bool> {
    uml::switch_tests_until(run.log, run.deadline)
}

fn docs(run: &Run<'_>) -> Result<bool> {
    let strict = [("RUSTDOCFLAGS", "-D warnings")];
    let libraries = [
        "doc",
        "--workspace",
        "--no-deps",
        "--exclude",
        "vifd",
        "--exclude",
        "xtask",
    ];
    // The program's modules are documented for those who work on them, private ones too.
    let program = [
        "doc",
        "-p",
        "vifd",
        "--lib",
        "--no-deps",
        "--document-private-items",
    ];
    let inside = [(
        "RUSTDOCFLAGS",
        "-D warnings -A rustdoc::private-intra-doc-links",
    )];
    let libraries = run.cargo_env(&libraries, &strict)?;
    Ok(run.cargo_env(&program, &inside)? && libraries)
}

fn bench(run: &Run<'_>) -> Result<bool> {
    run.cargo(&["bench", "--workspace", "--no-run"])
}

fn fuzz_stage(run: &Run<'_>) -> Result<bool> {
    let each = match run.length {
        Length::Short => Duration::from_secs(10),
        Length::Full => Duration::from_secs(300),
    };
    fuzz::run(each, run.log, run.deadline)
}
