//! Encoding, decoding, iterating, printing and reading flows, per flow, beside the floor of
//! copying the same bytes. `cargo bench -p vifd-ofproto --bench codec`.

mod flows;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flows::{dump, encode_all, flows, split};
use ofproto::conn::Batch;
use ofproto::msg::{FlowMod, Message};
use ofproto::text::flow_line;
use ofproto::view::flow_views;

const COUNT: u32 = 10_000;
/// A flow table worth dumping.
const DUMPED: u32 = 100_000;

fn benches(c: &mut Criterion) {
    let flows_ = flows(COUNT);
    let mut bytes = Vec::new();
    encode_all(&flows_, &mut bytes);
    let mut group = c.benchmark_group("flow_mod");
    group.throughput(Throughput::Elements(COUNT.into()));
    let mut copy = Vec::new();
    group.bench_function("floor: copy", |b| {
        b.iter(|| {
            copy.clear();
            for message in split(&bytes) {
                copy.extend_from_slice(black_box(message));
            }
            copy.len()
        });
    });
    let mut batch = Batch::new();
    group.bench_function("encode", |b| {
        b.iter(|| {
            batch.clear();
            batch.extend(black_box(&flows_));
            batch.byte_len()
        });
    });
    group.bench_function("decode", |b| {
        b.iter(|| {
            split(&bytes)
                .filter(|message| black_box(Message::decode(message)).is_ok())
                .count()
        });
    });
    let lines: Vec<String> = flows_.iter().map(flow_line).collect();
    group.bench_function("print", |b| {
        b.iter(|| {
            flows_
                .iter()
                .map(|flow| black_box(flow_line(flow)).len())
                .sum::<usize>()
        });
    });
    group.bench_function("parse", |b| {
        b.iter(|| {
            let parsed = lines.iter().map(|line| line.parse::<FlowMod>());
            parsed
                .map(|flow| black_box(flow).expect("own text").priority)
                .max()
        });
    });
    group.finish();

    let parts = dump(&flows(DUMPED));
    let mut group = c.benchmark_group("dump of 100 000 flows");
    group.throughput(Throughput::Elements(DUMPED.into()));
    group.sample_size(20);
    group.bench_function("floor: copy", |b| {
        b.iter(|| {
            copy.clear();
            parts
                .iter()
                .for_each(|part| copy.extend_from_slice(black_box(part)));
            copy.len()
        });
    });
    group.bench_function("views", |b| {
        b.iter(|| {
            let views = parts
                .iter()
                .flat_map(|part| flow_views(part).expect("a dump"));
            views.fold(0, |sum: u64, flow| {
                let flow = flow.expect("a flow");
                sum.wrapping_add(flow.cookie()) ^ flow.match_bytes().len() as u64
            })
        });
    });
    group.bench_function("views, every entry and action", |b| {
        b.iter(|| {
            let views = parts
                .iter()
                .flat_map(|part| flow_views(part).expect("a dump"));
            views.fold(0, |sum: usize, flow| {
                let flow = flow.expect("a flow");
                sum + flow.entries().count() + flow.actions().count()
            })
        });
    });
    group.bench_function("decode", |b| {
        b.iter(|| {
            parts
                .iter()
                .filter(|part| black_box(Message::decode(part)).is_ok())
                .count()
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
