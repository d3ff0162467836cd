//! Keys and values of the tokens a job decodes.

use tch::Tensor;

use cola_model::{Frozen, KeyValue, ModelError};

/// Most tokens that memory is allocated for at first; more are rarely decoded.
const FIRST: i64 = 64;

/// Keys and values of a job's decoded tokens at one position of its chain, with room for more. Only
/// the worker that has the job reads or writes them.
#[derive(Debug, Default)]
pub struct Tail {
    /// Keys and values of the tokens, then unused room: `[room, 2, KV heads, head_dim]`.
    key_values: Option<KeyValue>,
    used: i64,
    /// Most tokens that it is expected to hold.
    most: i64,
}

impl Tail {
    /// An empty tail that is expected to hold at most `most` tokens.
    pub fn new(most: usize) -> Self {
        Self {
            most: most as i64,
            ..Self::default()
        }
    }

    /// A tail that begins with the keys and values of some tokens, `[t, 2, KV heads, head_dim]`.
    pub fn beginning(key_values: KeyValue, most: usize) -> Self {
        Self {
            used: key_values.size()[0],
            key_values: Some(key_values),
            most: most as i64,
        }
    }

    /// Appends the keys and values of one token, `[1, 2, KV heads, head_dim]`.
    pub fn push(&mut self, token: &Tensor) -> Result<(), ModelError> {
        let room = self.key_values.as_ref().map_or(0, |kv| kv.size()[0]);
        if self.used == room {
            let mut shape = token.size();
            let fresh = self.most.clamp(1, FIRST);
            shape[0] = (2 * self.used)
                .max(self.used + fresh)
                .min(self.most.max(self.used + 1));
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

    /// The keys and values with their unused room, and the number of tokens in use.
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
        for (begun, most) in [(0, 0), (5, 0), (0, 1), (5, 1), (0, 2)] {
            let most = [0, 50, 70][most];
            let mut tail = match begun {
                0 => Tail::new(most),
                _ => Tail::beginning(Frozen::new(tokens.narrow_copy(0, 0, begun)), most),
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
