//! The kernel's side: a client in some network namespace, and pictures of the tables concerned.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nft::batch::OpError;
use nft::conn::Dump;
use nft::message::{Body, Family, Op};
use nft::name::Name;
use nft::net::{Client, NetError};
use nft::ruleset::Ruleset;
use nft::snapshot::{Picture, Scope};
use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::super::failure::{Failure, Kind};
use super::pattern::Patterns;

/// `EPERM`
const NOT_PERMITTED: u16 = 1;
/// How often everything is read again because others changed the ruleset meanwhile.
pub(super) const ATTEMPTS: u32 = 8;

/// A client in the named namespace, or in that of this thread.
pub(super) fn open(netns: Option<&str>) -> Result<Client, Failure> {
    let Some(name) = netns else {
        return Client::open().map_err(|e| no_socket(&e));
    };
    let path = if name.contains('/') {
        PathBuf::from(name)
    } else {
        Path::new("/run/netns").join(name)
    };
    let file = rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(
        |error| {
            Failure::text(
                Kind::NotFound,
                format!(
                    "--netns {name}: cannot open {}: {error}; `ip netns list` shows those with a name",
                    path.display()
                ),
            )
        },
    )?;
    // A socket stays in the namespace it was opened in; the thread that enters it ends.
    let opened = std::thread::spawn(move || {
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
        Client::open()
    })
    .join();
    let opened = opened.unwrap_or_else(|_| Err(std::io::Error::other("the thread ended")));
    opened.map_err(|error| {
        Failure::text(
            Kind::Failed,
            format!("--netns {name}: cannot enter it or open a netlink socket there: {error}: are you root?"),
        )
    })
}

fn no_socket(error: &std::io::Error) -> Failure {
    Failure::text(
        Kind::Failed,
        format!("cannot open a netlink socket for nf_tables: {error}"),
    )
}

/// The tables concerned, all at one generation.
pub(super) fn picture(client: &mut Client, tables: &Patterns) -> Result<Picture, Failure> {
    'again: for _ in 0..ATTEMPTS {
        let generation = client.generation().map_err(|e| explain(&e))?;
        let mut ruleset = Ruleset::default();
        for (family, name) in names(client)? {
            if !tables.allow(family, &name) {
                continue;
            }
            let one = client.snapshot(Scope::Table(family, name));
            let one = one.map_err(|e| explain(&e))?;
            if one.generation != generation {
                continue 'again;
            }
            ruleset.tables.extend(one.ruleset.tables);
        }
        if client.generation().map_err(|e| explain(&e))? == generation {
            return Ok(Picture {
                generation,
                ruleset,
            });
        }
    }
    Err(Failure::text(
        Kind::Failed,
        format!("the ruleset changed during each of {ATTEMPTS} attempts to read it; try again"),
    ))
}

fn names(client: &mut Client) -> Result<Vec<(Family, Name)>, Failure> {
    let dump = Dump::new(Op::GET_TABLE, Family::UNSPEC, Body::Empty);
    let messages = client.dump(dump).map_err(|e| explain(&e))?;
    let tables = messages.into_iter().filter_map(|m| match m.body {
        Body::Table(table) => Some((m.gen_msg.family, table.name)),
        _ => None,
    });
    Ok(tables.collect())
}

/// What the kernel said, with every operation it refused.
pub(super) fn explain(error: &NetError) -> Failure {
    let NetError::Refused(errors) = error else {
        return Failure::failed(error);
    };
    let mut text = String::from("the kernel refused, nothing was changed:");
    for error in errors.iter().take(20) {
        text.push_str(&format!("\n  {error}"));
    }
    if errors.len() > 20 {
        text.push_str(&format!("\n  and {} more", errors.len() - 20));
    }
    if errors.iter().all(|e: &OpError| e.errno == NOT_PERMITTED) {
        text.push_str(
            "\nare you root? A table with the flag owner belongs to one running process, such as `vifd run`: stop it first",
        );
    }
    Failure::text(Kind::Failed, text)
}
