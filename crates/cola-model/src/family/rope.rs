//! Rotary embeddings in configurations: `rope_parameters` (newer) or `rope_theta` with
//! `rope_scaling` (older), with transformers' defaults.

use serde_json::Value;

use super::super::{Config, ModelError, RopeScaling, RopeSpec};

/// The config keys that hold a family's rope parameters, and the defaults of absent keys.
#[derive(Debug, Clone, Copy)]
pub struct Rope<'a> {
    pub config: &'a Config,
    pub head_dim: i64,
    /// Old name of `rope_theta`.
    pub theta_field: &'a str,
    pub theta: f64,
    /// Old name and default of `partial_rotary_factor`; `None` for families that rotate all.
    pub partial: Option<(&'a str, f64)>,
    pub max_positions: i64,
    /// Default of an `original_max_position_embeddings` beside the rope's own fields. `None`: the
    /// rope's own field counts, or else the whole context.
    pub original_max_positions: Option<i64>,
    /// Whether each kind of layer has its own rope fields, which transformers reads slightly
    /// differently.
    pub by_kind: bool,
}

impl<'a> Rope<'a> {
    /// A family that rotates whole heads.
    pub fn whole(config: &'a Config, head_dim: i64, theta: f64, max_positions: i64) -> Self {
        Self {
            config,
            head_dim,
            theta_field: "rope_theta",
            theta,
            partial: None,
            max_positions,
            original_max_positions: None,
            by_kind: false,
        }
    }

    /// The rope of all layers.
    pub fn read(&self) -> Result<RopeSpec, ModelError> {
        let config = self.config;
        if let (Some(new), Some(old)) = (config.get("rope_parameters"), config.get("rope_scaling"))
            && new != old
        {
            return Err(config.refuse(
                "rope_scaling",
                "differs from `rope_parameters`; keep one of them",
            ));
        }
        let parameters = match config.object("rope_parameters")? {
            Some(parameters) => Some(parameters),
            None => config.object("rope_scaling")?,
        };
        self.read_from(parameters.as_ref())
    }

    /// The rope that `parameters` and the fields of the configuration itself describe.
    pub fn read_from(&self, parameters: Option<&Config>) -> Result<RopeSpec, ModelError> {
        let rotary_dim = self.rotary_dim(parameters)?;
        let own = match parameters {
            Some(parameters) => theta(parameters, "rope_theta")?,
            None => None,
        };
        let theta = match own {
            Some(theta) => theta,
            None => theta(self.config, self.theta_field)?.unwrap_or(self.theta),
        };
        let scaling = match parameters {
            Some(parameters) => self.scaling(parameters, rotary_dim)?,
            None => RopeScaling::Default,
        };
        Ok(RopeSpec {
            theta,
            rotary_dim,
            scaling,
        })
    }

    fn rotary_dim(&self, parameters: Option<&Config>) -> Result<i64, ModelError> {
        let field = "partial_rotary_factor";
        let given = match parameters {
            Some(parameters) => parameters
                .number_opt(field)?
                .map(|f| (parameters, field, f)),
            None => None,
        };
        let Some((old, default)) = self.partial else {
            if let Some((parameters, field, factor)) = given
                && factor != 1.0
            {
                return Err(parameters.refuse(field, "only 1 is supported for this architecture"));
            }
            return match self.head_dim % 2 {
                0 => Ok(self.head_dim),
                _ => Err(self.config.refuse(
                    "head_dim",
                    format!("{} is odd; rotary embedding needs pairs", self.head_dim),
                )),
            };
        };
        let (place, field, factor) = match given {
            Some(given) => given,
            None => {
                let factor = self.config.number_opt(old)?.unwrap_or(default);
                (self.config, old, factor)
            }
        };
        let rotary = (self.head_dim as f64 * factor) as i64;
        if !(0.0..=1.0).contains(&factor) || rotary < 2 || rotary % 2 != 0 {
            return Err(place.refuse(
                field,
                format!(
                    "{factor} of a head of {} is {rotary}; this must be even, at least 2 and at most the size of the \
                     head",
                    self.head_dim
                ),
            ));
        }
        Ok(rotary)
    }

    fn scaling(&self, parameters: &Config, rotary_dim: i64) -> Result<RopeScaling, ModelError> {
        // Old files say `type`, newer ones `rope_type`.
        let field = if parameters.get("rope_type").is_some() {
            "rope_type"
        } else {
            "type"
        };
        let kind = parameters.text_opt(field)?;
        Ok(match kind.as_deref().unwrap_or("default") {
            "default" => RopeScaling::Default,
            "linear" => RopeScaling::Linear {
                factor: positive(parameters, "factor")?,
            },
            "dynamic" => {
                let factor = positive(parameters, "factor")?;
                if rotary_dim <= 2 {
                    return Err(parameters.refuse(field, "dynamic needs heads wider than 2"));
                }
                if factor < 1.0 {
                    return Err(parameters.refuse("factor", format!("{factor} is below 1")));
                }
                RopeScaling::Dynamic {
                    factor,
                    max_positions: self.max_positions as f64,
                }
            }
            "yarn" => self.yarn(parameters)?,
            "longrope" => self.longrope(parameters, rotary_dim)?,
            "llama3" => {
                let low_freq_factor = positive(parameters, "low_freq_factor")?;
                let high_freq_factor = positive(parameters, "high_freq_factor")?;
                if high_freq_factor <= low_freq_factor {
                    return Err(
                        parameters.refuse("high_freq_factor", "must be above low_freq_factor")
                    );
                }
                RopeScaling::Llama3 {
                    factor: positive(parameters, "factor")?,
                    low_freq_factor,
                    high_freq_factor,
                    original_max_positions: self.original_max_positions(parameters)?,
                }
            }
            other => {
                return Err(parameters.refuse(
                    field,
                    format!(
                        "{other:?} is not supported; supported: default, linear, dynamic, yarn, longrope, llama3"
                    ),
                ));
            }
        })
    }

    fn yarn(&self, parameters: &Config) -> Result<RopeScaling, ModelError> {
        let original_max_positions = self.original_max_positions(parameters)?;
        let factor = self.factor(parameters, original_max_positions)?;
        let sharpening = |mscale: f64| match factor > 1.0 {
            true => 0.1 * mscale * factor.ln() + 1.0,
            false => 1.0,
        };
        // A 0 counts as absent, as in transformers.
        let above_zero = |field| match parameters.number_opt(field)? {
            Some(0.0) => Ok(None),
            _ => parameters.positive_opt(field),
        };
        let (mscale, all_dim) = (above_zero("mscale")?, above_zero("mscale_all_dim")?);
        let attention_factor = match (
            parameters.positive_opt("attention_factor")?,
            mscale,
            all_dim,
        ) {
            (Some(given), ..) => given,
            (None, Some(mscale), Some(all_dim)) => sharpening(mscale) / sharpening(all_dim),
            (None, ..) => sharpening(1.0),
        };
        Ok(RopeScaling::Yarn {
            factor,
            beta_fast: above_zero("beta_fast")?.unwrap_or(32.0),
            beta_slow: above_zero("beta_slow")?.unwrap_or(1.0),
            attention_factor,
            original_max_positions,
            // With fields by kind, transformers looks for `truncate` outside of them, where it
            // never is.
            truncate: parameters.flag("truncate", true)? || self.by_kind,
        })
    }

    /// LongRoPE, with the divisors of every pair.
    pub fn longrope(
        &self,
        parameters: &Config,
        rotary_dim: i64,
    ) -> Result<RopeScaling, ModelError> {
        let original_max_positions = self.original_max_positions(parameters)?;
        let factor = self.factor(parameters, original_max_positions)?;
        let attention_factor = match parameters.positive_opt("attention_factor")? {
            Some(given) => given,
            None if factor <= 1.0 => 1.0,
            None => (1.0 + factor.ln() / original_max_positions.ln()).sqrt(),
        };
        let divisors = |field| -> Result<Vec<f64>, ModelError> {
            let positive = |v: &Value| v.as_f64().filter(|x| x.is_finite() && *x > 0.0);
            let divisors = parameters
                .list(field, "a list of numbers above 0", positive)?
                .ok_or_else(|| parameters.refuse(field, "is missing"))?;
            match divisors.len() as i64 == rotary_dim / 2 {
                true => Ok(divisors),
                false => Err(parameters.refuse(
                    field,
                    format!("{} numbers for {} pairs", divisors.len(), rotary_dim / 2),
                )),
            }
        };
        Ok(RopeScaling::LongRope {
            short: divisors("short_factor")?,
            long: divisors("long_factor")?,
            attention_factor,
            original_max_positions,
        })
    }

    /// `factor`, or else the ratio of the context to the original one.
    fn factor(&self, parameters: &Config, original: f64) -> Result<f64, ModelError> {
        match parameters.get("factor") {
            Some(_) => positive(parameters, "factor"),
            None => Ok(self.max_positions as f64 / original),
        }
    }

    /// `original_max_position_embeddings`: the one beside the rope's own fields (or the family's
    /// default for it), else the one among them, else the whole context. With fields by kind only
    /// the one among them counts.
    fn original_max_positions(&self, parameters: &Config) -> Result<f64, ModelError> {
        let field = "original_max_position_embeddings";
        let beside = self.config.size_opt(field)?.or(self.original_max_positions);
        let own = parameters.size_opt(field)?;
        let positions = match self.by_kind {
            true => own,
            false => beside.or(own),
        };
        Ok(positions.unwrap_or(self.max_positions) as f64)
    }
}

fn theta(config: &Config, field: &str) -> Result<Option<f64>, ModelError> {
    match config.number_opt(field)? {
        Some(theta) if theta <= 0.0 => Err(config.refuse(field, "must be above 0")),
        other => Ok(other),
    }
}

fn positive(config: &Config, field: &str) -> Result<f64, ModelError> {
    match config.number(field)? {
        value if value > 0.0 => Ok(value),
        value => Err(config.refuse(field, format!("{value} must be above 0"))),
    }
}
