//! JSON-RPC messages (RFC 7047 §4 over JSON-RPC 1.0), with ovsdb-server's deviations: error
//! replies may lack `result`, a missing `id` is `null`, unknown members are an error.
//!
//! Held by the `ovsdb_message` fuzz target and the unit tests below.
//!
//! ```
//! use ovsdb::{json::parse, rpc::Message};
//!
//! let json = parse(br#"{"method":"update2","params":["m",{}],"id":null}"#)?;
//! let Message::Notification { method, .. } = Message::decode(json)? else { panic!() };
//! assert_eq!(&*method, "update2");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::error::{DecodeError, Fault};
use crate::json::{Json, Str, write, write_string};

/// A message in either direction.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A call that wants a reply.
    Request {
        /// Chosen by the caller, not `null`.
        id: Json,
        /// Method name.
        method: Str,
        /// Parameters.
        params: Vec<Json>,
    },
    /// A call that gets no reply.
    Notification {
        /// Method name.
        method: Str,
        /// Parameters.
        params: Vec<Json>,
    },
    /// The answer to a request.
    Reply {
        /// The id of the request.
        id: Json,
        /// The result, or the error.
        outcome: Result<Json, Json>,
    },
}

impl Message {
    /// Reads a message.
    pub fn decode(json: Json) -> Result<Self, DecodeError> {
        const WHAT: &str = "message";
        let Json::Object(mut object) = json else {
            return Err(DecodeError::expected(WHAT, "an object"));
        };
        let id = object.remove("id").unwrap_or(Json::Null);
        let method = object.remove("method").filter(|m| *m != Json::Null);
        let params = object.remove("params").filter(|p| *p != Json::Null);
        let result = object.remove("result").filter(|r| *r != Json::Null);
        let error = object.remove("error").filter(|e| *e != Json::Null);
        if !object.is_empty() {
            return Err(DecodeError::new(WHAT, Fault::Unknown));
        }
        match (method, params) {
            (Some(Json::String(method)), Some(Json::Array(params))) => {
                if result.is_some() || error.is_some() {
                    return Err(DecodeError::new(WHAT, Fault::Unknown));
                }
                Ok(match id {
                    Json::Null => Self::Notification { method, params },
                    id => Self::Request { id, method, params },
                })
            }
            (Some(Json::String(_)), _) => Err(DecodeError::expected(WHAT, "an array of params")),
            (Some(_), _) => Err(DecodeError::expected(WHAT, "a method name")),
            (None, Some(_)) => Err(DecodeError::new(WHAT, Fault::Missing("method"))),
            (None, None) => match (id, result, error) {
                (Json::Null, ..) => Err(DecodeError::new(WHAT, Fault::Missing("id"))),
                (_, Some(_), Some(_)) => Err(DecodeError::expected(WHAT, "result or error")),
                (id, _, Some(error)) => Ok(Self::Reply {
                    id,
                    outcome: Err(error),
                }),
                (id, result, None) => Ok(Self::Reply {
                    id,
                    outcome: Ok(result.unwrap_or(Json::Null)),
                }),
            },
        }
    }

    /// Appends the wire form to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Request { id, method, params } => encode_call(Some(id), method, params, out),
            Self::Notification { method, params } => encode_call(None, method, params, out),
            Self::Reply { id, outcome } => {
                out.extend_from_slice(b"{\"error\":");
                write(outcome.as_ref().err().unwrap_or(&Json::Null), out);
                out.extend_from_slice(b",\"id\":");
                write(id, out);
                out.extend_from_slice(b",\"result\":");
                write(outcome.as_ref().ok().unwrap_or(&Json::Null), out);
                out.push(b'}');
            }
        }
    }
}

/// Appends a request, or a notification if there is no id.
pub(crate) fn encode_call(id: Option<&Json>, method: &str, params: &[Json], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":");
    write(id.unwrap_or(&Json::Null), out);
    out.extend_from_slice(b",\"method\":");
    write_string(method, out);
    out.extend_from_slice(b",\"params\":[");
    for (i, param) in params.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(param, out);
    }
    out.extend_from_slice(b"]}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn decode(text: &str) -> Result<Message, DecodeError> {
        Message::decode(parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn round_trip() {
        for text in [
            r#"{"id":1,"method":"echo","params":[]}"#,
            r#"{"id":null,"method":"update","params":["m",{}]}"#,
            r#"{"error":null,"id":"x","result":{}}"#,
            r#"{"error":"unknown method","id":2,"result":null}"#,
        ] {
            let mut out = Vec::new();
            decode(text).unwrap().encode(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn deviations_are_accepted_and_extensions_refused() {
        assert!(matches!(
            decode(r#"{"id":2,"error":"unknown method"}"#),
            Ok(Message::Reply {
                outcome: Err(_),
                ..
            })
        ));
        assert!(matches!(
            decode(r#"{"method":"x","params":[]}"#),
            Ok(Message::Notification { .. })
        ));
        for bad in [
            r#"{"jsonrpc":"2.0","id":1,"result":1}"#,
            r#"{"id":1,"method":"x","params":{}}"#,
            r#"{"id":1,"method":7,"params":[]}"#,
            r#"{"result":1}"#,
            r#"{"id":1,"result":1,"error":2}"#,
            r#"{"id":1,"params":[]}"#,
        ] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }
}
