//! Prints what this kernel can do and which design for bridged ports fits it. Needs root; changes
//! nothing: `cargo run -p vifd-nft --example probe`.

use nft::batch::Batch;
use nft::message::Family;
use nft::net::{Client, NetError};
use nft::probe::Choice;
use nft::table::Table;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut client = Client::open()?;
    let features = client.probe()?;
    print!("{}", features.report());
    let bridge_netfilter = std::path::Path::new("/proc/sys/net/bridge").exists();
    let choice = Choice::of(&features, bridge_netfilter);
    println!("\nvariant: {}", choice.variant);
    for reason in choice.reasons {
        println!("  {reason}");
    }
    let generation = client.generation()?;
    let mut trial = Batch::new();
    trial.add_table(Family::IPV4, &Table::new("vifd-probe"));
    trial.delete_table(Family::IPV4, &"vifd-probe".into());
    match client.commit(trial, Some(generation.wrapping_add(1))) {
        Err(NetError::Stale) => println!("generations: checked by the kernel"),
        Ok(_) => println!("generations: not checked by the kernel"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
