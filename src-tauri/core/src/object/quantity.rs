//! Resource quantities, kept as the object writes them and compared as numbers.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A quantity such as `64Mi`, `500m` or `2`. The text is never changed: people search for what they wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantity(String);

impl Quantity {
    /// Wraps the text as written.
    pub fn new(text: impl Into<String>) -> Quantity {
        Quantity(text.into())
    }

    /// The text as the object writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value in thousandths of the base unit (millicores, milli-bytes), or `None` when the text is no quantity.
    ///
    /// Source: the Kubernetes API's resource.Quantity grammar (decimal, binary and exponent suffixes).
    pub fn milli(&self) -> Option<i128> {
        let text = self.0.trim();
        let cut = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
        let (number, suffix) = text.split_at(cut);
        let value: f64 = number.parse().ok()?;
        let factor = match suffix {
            "" => 1e3,
            "n" => 1e-6,
            "u" => 1e-3,
            "m" => 1.0,
            "k" => 1e6,
            "M" => 1e9,
            "G" => 1e12,
            "T" => 1e15,
            "P" => 1e18,
            "E" => 1e21,
            "Ki" => 1e3 * 1024f64,
            "Mi" => 1e3 * 1024f64.powi(2),
            "Gi" => 1e3 * 1024f64.powi(3),
            "Ti" => 1e3 * 1024f64.powi(4),
            "Pi" => 1e3 * 1024f64.powi(5),
            "Ei" => 1e3 * 1024f64.powi(6),
            _ => 1e3 * 10f64.powi(suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
        };
        Some((value * factor).round() as i128)
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Quantity, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Text(String),
            Whole(i64),
            Real(f64),
        }
        Ok(Quantity(match Raw::deserialize(d)? {
            Raw::Text(t) => t,
            Raw::Whole(n) => n.to_string(),
            Raw::Real(n) => n.to_string(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::Quantity;

    #[test]
    fn quantities_compare_by_value_and_keep_their_text() {
        let milli = |t: &str| Quantity::new(t).milli();
        assert_eq!(milli("64Mi"), Some(64 * 1024 * 1024 * 1000));
        assert_eq!(milli("500m"), Some(500));
        assert_eq!(milli("0.5"), Some(500));
        assert_eq!(milli("2"), Some(2000));
        assert_eq!(milli("1e3"), Some(1_000_000));
        assert_eq!(milli("2Ti"), Some(2 * 1024i128.pow(4) * 1000));
        assert_eq!(milli("lots"), None);
        assert_eq!(Quantity::new("0.5").as_str(), "0.5");
    }
}
