//! `sample`: copy packets to an IPFIX collector.

use super::Subfield;
use super::encode::vendor_action;
use super::subfield::Use;
use crate::codec::{Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::header::open_numbers;
use crate::matching::FieldId;
use crate::ports::Port;

open_numbers! {
    /// Which way a sampled packet goes.
    SampleDirection: u8 {
        /// Not said.
        DEFAULT = 0,
        /// In.
        INGRESS = 1,
        /// Out.
        EGRESS = 2,
    }
}

/// A domain or point id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SampleId {
    /// This number.
    Imm(u32),
    /// The number in these bits (Open vSwitch 3.4).
    Field(Subfield),
}

/// `sample` (`nx_action_sample`, `nx_action_sample2`, `nx_action_sample4`). The smallest of the four wire forms that says everything is used: 24 bytes, 32 with
/// a port, 32 with a direction, 40 with fields.
///
/// ```text
///  10          12            16         20         24      26   27      32
/// +-----------+-------------+----------+----------+-------+----+-------+
/// |probability|collector set|  domain  |  point   | port  |way | zeros |
/// +-----------+-------------+----------+----------+-------+----+-------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sample {
    /// Packets per 65 535, at least 1.
    pub probability: u16,
    /// Row of the collector set table.
    pub collector_set_id: u32,
    /// Observation domain.
    pub obs_domain_id: SampleId,
    /// Observation point.
    pub obs_point_id: SampleId,
    /// Port to report, or [`Port::NONE`].
    pub sampling_port: Port,
    /// Direction to report.
    pub direction: SampleDirection,
}

fn put_id(w: &mut Writer<'_>, id: SampleId) -> Result<(), EncodeError> {
    match id {
        SampleId::Imm(v) => {
            w.u32(0);
            w.u32(v);
        }
        SampleId::Field(f) => {
            f.encode_header(w)?;
            w.u16(f.ofs_nbits());
            w.zeros(2);
        }
    }
    Ok(())
}

fn take_id(r: &mut Reader<'_>) -> Result<SampleId, DecodeError> {
    let at = r.offset();
    let mut source = r.sub(4, "sample source")?;
    if source.peek() == [0; 4] {
        return Ok(SampleId::Imm(r.u32("sample id")?));
    }
    let (ofs, n_bits) = Subfield::split(r.u16("ofs_nbits")?);
    r.skip(2, "pad")?;
    let field = Subfield::decode_word(&mut source, ofs, n_bits)?;
    field.check(Use::Source, at)?;
    if field.n_bits > 32 || field.field == FieldId::COOKIE {
        return Err(DecodeError::new(
            OfpError::OFPBAC_BAD_SET_LEN,
            "sample source",
            at,
        ));
    }
    Ok(SampleId::Field(field))
}

impl Sample {
    pub(super) fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let (domain, point) = match (self.obs_domain_id, self.obs_point_id) {
            (SampleId::Imm(d), SampleId::Imm(p)) => (d, p),
            (d, p) => {
                return vendor_action(w, 51, |w| {
                    w.u16(self.probability);
                    w.u32(self.collector_set_id);
                    put_id(w, d)?;
                    put_id(w, p)?;
                    w.u16(self.sampling_port.0);
                    w.u8(self.direction.0);
                    w.zeros(5);
                    Ok(())
                });
            }
        };
        let subtype = match (self.direction, self.sampling_port) {
            (SampleDirection::DEFAULT, Port::NONE) => 29,
            (SampleDirection::DEFAULT, _) => 38,
            _ => 41,
        };
        vendor_action(w, subtype, |w| {
            w.u16(self.probability);
            w.u32(self.collector_set_id);
            w.u32(domain);
            w.u32(point);
            if subtype != 29 {
                w.u16(self.sampling_port.0);
                w.u8(self.direction.0);
                w.zeros(5);
            }
            Ok(())
        })
    }

    pub(super) fn decode(r: &mut Reader<'_>, subtype: u16) -> Result<Self, DecodeError> {
        let at = r.offset();
        let bad = |code| Err(DecodeError::new(code, "sample", at));
        let probability = r.u16("probability")?;
        let collector_set_id = r.u32("collector set")?;
        let (obs_domain_id, obs_point_id) = if subtype == 51 {
            (take_id(r)?, take_id(r)?)
        } else {
            (
                SampleId::Imm(r.u32("domain")?),
                SampleId::Imm(r.u32("point")?),
            )
        };
        let mut s = Sample {
            probability,
            collector_set_id,
            obs_domain_id,
            obs_point_id,
            sampling_port: Port::NONE,
            direction: SampleDirection::DEFAULT,
        };
        if subtype != 29 {
            s.sampling_port = Port(r.u16("sampling port")?);
        }
        if subtype == 38 {
            // The second form has no direction; what stands there is not looked at.
            r.rest();
        } else if subtype != 29 {
            s.direction = SampleDirection(r.u8("direction")?);
            r.zeros(5, OfpError::NXBRC_MUST_BE_ZERO, "sample zeros")?;
        }
        if probability == 0 || s.direction.name().is_none() {
            return bad(OfpError::OFPBAC_BAD_ARGUMENT);
        }
        Ok(s)
    }
}
