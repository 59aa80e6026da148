//! What the generators share: random numbers, atoms, and things of the wrong kind.

use ovsdb::json::{Json, Object, write_pretty_real};

/// Cases of each kind.
pub fn cases(usual: usize) -> usize {
    let more = std::env::var("DIFFERENTIAL_CASES").ok();
    more.map_or(usual, |n| n.parse().expect("a number of cases"))
}

/// A small generator; the seed makes a run repeatable.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % n
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

pub fn canonical(json: &Json) -> String {
    let mut out = Vec::new();
    write_pretty_real(json, Some(15), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

pub fn number(random: &mut Random) -> Json {
    match random.below(8) {
        0 => Json::Real(0.5),
        1 => Json::Integer(i64::from(u32::MAX)),
        2 => Json::Integer(i64::from(u32::MAX) + 1),
        3 => Json::Integer(-1),
        _ => Json::Integer(i64::try_from(random.below(6)).unwrap()),
    }
}

/// Something of another kind.
pub fn junk(random: &mut Random) -> Json {
    match random.below(8) {
        0 => Json::Null,
        1 => Json::Bool(true),
        2 => Json::Bool(false),
        3 => number(random),
        4 => Json::Array(vec![]),
        5 => Json::Object(Object::new()),
        6 => Json::Array(vec!["set".into(), Json::Array(vec![])]),
        _ => random
            .pick(&["", "x", "unlimited", "strong", "_x", "integer", "1.2.3"])
            .into(),
    }
}

pub const ATOMIC: [&str; 5] = ["integer", "real", "boolean", "string", "uuid"];

pub fn atom_of(random: &mut Random, kind: &str) -> Json {
    match kind {
        "integer" if random.one_in(20) => {
            Json::Integer(random.pick(&[i64::MAX, i64::MIN, i64::MIN + 1, i64::MAX / 2, 1 << 32]))
        }
        "real" if random.one_in(20) => {
            Json::Real(random.pick(&[f64::MAX, f64::MIN, 1e-300, 123_456_789.125]))
        }
        "integer" => Json::Integer(i64::try_from(random.below(9)).unwrap() - 4),
        "real" => random
            .pick(&[Json::Real(0.5), Json::Real(-1.25)].each_ref())
            .clone(),
        "boolean" => Json::Bool(random.one_in(2)),
        "string" => random
            .pick(&["", "a", "b", "true", "two words", "é"])
            .into(),
        _ => {
            let id = format!("00000000-0000-0000-0000-00000000000{}", random.below(4));
            Json::Array(vec!["uuid".into(), id.as_str().into()])
        }
    }
}

pub fn set_of(random: &mut Random, most: usize, mut one: impl FnMut(&mut Random) -> Json) -> Json {
    let n = random.below(most + 1);
    let elements = (0..n).map(|_| one(random)).collect();
    Json::Array(vec!["set".into(), Json::Array(elements)])
}
