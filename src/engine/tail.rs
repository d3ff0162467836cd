//! Keys and values of the tokens a job decodes.

use tch::Tensor;

use crate::model::{Frozen, KeyValue, ModelError};

/// Room for the tokens of the first.
const FIRST: i64 = 16;

/// Keys and values of decoded tokens at one place of a chain, with room for more. A job's own: it is
/// written only by the worker that has the job, and read by nobody else.
#[derive(Debug, Default)]
pub struct Tail {
    /// `[room, 2, KV heads, head_dim]`.
    key_values: Option<KeyValue>,
    used: i64,
}

impl Tail {
    /// Begins with these tokens, `[t, 2, KV heads, head_dim]`.
    pub fn new(key_values: KeyValue) -> Self {
        Self {
            used: key_values.size()[0],
            key_values: Some(key_values),
        }
    }

    /// Appends one token, `[1, 2, KV heads, head_dim]`.
    pub fn push(&mut self, token: &Tensor) -> Result<(), ModelError> {
        let room = self.key_values.as_ref().map_or(0, |kv| kv.size()[0]);
        if self.used == room {
            let mut shape = token.size();
            shape[0] = (2 * room).max(FIRST);
            let larger = token.f_new_empty(&shape, (token.kind(), token.device()))?;
            if let Some(old) = &self.key_values {
                larger.f_narrow(0, 0, self.used)?.f_copy_(old)?;
            }
            self.key_values = Some(Frozen::new(larger));
        }
        if let Some(key_values) = &self.key_values {
            key_values.f_narrow(0, self.used, 1)?.f_copy_(token)?;
            self.used += 1;
        }
        Ok(())
    }

    /// Where the tokens lie, and how many of the first there are.
    pub fn context(&self) -> Option<(&KeyValue, i64)> {
        self.key_values.as_ref().map(|kv| (kv, self.used))
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn it_holds_what_was_pushed_in_order() {
        let tokens = Tensor::randn([50, 2, 3, 4], (Kind::Float, Device::Cpu));
        for begun in [0, 5] {
            let mut tail = match begun {
                0 => Tail::default(),
                _ => Tail::new(Frozen::new(tokens.narrow_copy(0, 0, begun))),
            };
            assert_eq!(tail.context().is_some(), begun > 0);
            for token in begun..50 {
                tail.push(&tokens.narrow(0, token, 1)).unwrap();
                let (held, used) = tail.context().unwrap();
                assert_eq!(used, token + 1);
                assert!(held.narrow(0, 0, used).equal(&tokens.narrow(0, 0, used)));
            }
        }
    }
}
