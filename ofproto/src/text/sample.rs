//! `sample(...)`.

use std::fmt::{self, Write};

use crate::action::{Sample, SampleDirection, SampleId};
use crate::ports::Port;

use super::error::TextError;
use super::field::{parse_port, parse_subfield, write_port, write_subfield};
use super::scan::Span;

pub(crate) fn write_sample(out: &mut impl Write, sample: &Sample) -> fmt::Result {
    write!(
        out,
        "sample(probability={},collector_set_id={}",
        sample.probability, sample.collector_set_id
    )?;
    let ids = [
        ("obs_domain_id", sample.obs_domain_id),
        ("obs_point_id", sample.obs_point_id),
    ];
    for (name, id) in ids {
        write!(out, ",{name}=")?;
        match id {
            SampleId::Imm(number) => write!(out, "{number}")?,
            SampleId::Field(field) => write_subfield(out, &field)?,
        }
    }
    if sample.sampling_port != Port::NONE {
        out.write_str(",sampling_port=")?;
        write_port(out, sample.sampling_port)?;
    }
    match sample.direction {
        SampleDirection::INGRESS => out.write_str(",ingress")?,
        SampleDirection::EGRESS => out.write_str(",egress")?,
        _ => {}
    }
    out.write_char(')')
}

pub(crate) fn parse_sample(mut arguments: Span<'_>) -> Result<Sample, TextError> {
    let whole = arguments;
    let mut sample = Sample {
        probability: 0,
        collector_set_id: 0,
        obs_domain_id: SampleId::Imm(0),
        obs_point_id: SampleId::Imm(0),
        sampling_port: Port::NONE,
        direction: SampleDirection::DEFAULT,
    };
    while let Some((key, value)) = arguments.next_pair() {
        match key.text() {
            "probability" => sample.probability = value.u16("a probability")?,
            "collector_set_id" => sample.collector_set_id = value.u32("a collector set")?,
            "obs_domain_id" => sample.obs_domain_id = parse_id(value)?,
            "obs_point_id" => sample.obs_point_id = parse_id(value)?,
            "sampling_port" => sample.sampling_port = parse_port(value)?,
            "ingress" => sample.direction = SampleDirection::INGRESS,
            "egress" => sample.direction = SampleDirection::EGRESS,
            other => return Err(key.error(format!("{other:?} is not an argument of sample"))),
        }
    }
    if sample.probability == 0 {
        return Err(whole.error("sample needs a probability of 1 or more"));
    }
    Ok(sample)
}

fn parse_id(value: Span<'_>) -> Result<SampleId, TextError> {
    if value.text().starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(SampleId::Imm(value.u32("an id")?));
    }
    let field = parse_subfield(value)?;
    if field.n_bits > 32 {
        return Err(value.error(format!("an id has at most 32 bits, not {}", field.n_bits)));
    }
    Ok(SampleId::Field(field))
}
