//! Numbers that come back as they were written, infinities too, which JSON does not have.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A number whose every value survives JSON: what is not finite is written as `"inf"`, `"-inf"` or `"nan"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exact(pub f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            finite if finite.is_finite() => to.serialize_f64(finite),
            f64::INFINITY => to.serialize_str("inf"),
            f64::NEG_INFINITY => to.serialize_str("-inf"),
            _ => to.serialize_str("nan"),
        }
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Finite(f64),
            Named(String),
        }
        match Written::deserialize(from)? {
            Written::Finite(finite) => Ok(Self(finite)),
            Written::Named(name) => match name.as_str() {
                "inf" => Ok(Self(f64::INFINITY)),
                "-inf" => Ok(Self(f64::NEG_INFINITY)),
                "nan" => Ok(Self(f64::NAN)),
                _ => Err(D::Error::custom(format!("{name:?} is not a number"))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn back(number: f64) -> f64 {
        let text = serde_json::to_string(&Exact(number)).unwrap();
        serde_json::from_str::<Exact>(&text).unwrap().0
    }

    proptest! {
        #[test]
        fn every_number_comes_back_as_it_was(bits: u64) {
            let number = f64::from_bits(bits);
            let same = back(number).to_bits() == number.to_bits();
            prop_assert!(same || (number.is_nan() && back(number).is_nan()));
        }
    }

    #[test]
    fn what_is_not_finite_comes_back_too() {
        assert_eq!(back(f64::INFINITY), f64::INFINITY);
        assert_eq!(back(f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert!(back(f64::NAN).is_nan());
        assert!(serde_json::from_str::<Exact>("\"lots\"").is_err());
    }
}
