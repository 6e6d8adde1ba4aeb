//! How noise and sparsity are written: `mask:0.5`, `topk:32`.

use std::str::FromStr;

use super::config::{Corruption, Sparsity};

impl FromStr for Corruption {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("{text:?} is no noise; expected mask:0.5, gauss:0.3, salt:0.1, block:4x4:28x28 or none");
        let number = |text: &str| text.parse::<f64>().map_err(|_| wrong());
        let sides = |text: &str| {
            let (rows, cols) = text.split_once('x').ok_or_else(wrong)?;
            let side = |text: &str| text.parse::<usize>().map_err(|_| wrong());
            Ok::<_, String>([side(rows)?, side(cols)?])
        };
        match text.split(':').collect::<Vec<_>>()[..] {
            ["none"] => Ok(Self::None),
            ["mask", p] => Ok(Self::Mask(number(p)?)),
            ["gauss", deviation] => Ok(Self::Gauss(number(deviation)?)),
            ["salt", p] => Ok(Self::Salt(number(p)?)),
            ["block", size, image] => Ok(Self::Block { size: sides(size)?, image: sides(image)? }),
            _ => Err(wrong()),
        }
    }
}

impl std::fmt::Display for Corruption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Mask(p) => write!(f, "mask:{p}"),
            Self::Gauss(deviation) => write!(f, "gauss:{deviation}"),
            Self::Salt(p) => write!(f, "salt:{p}"),
            Self::Block { size, image } => write!(f, "block:{}x{}:{}x{}", size[0], size[1], image[0], image[1]),
        }
    }
}

impl FromStr for Sparsity {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("{text:?} is no sparsity; expected l1:0.1, kl:0.05:1, topk:32 or none");
        let number = |text: &str| text.parse::<f64>().map_err(|_| wrong());
        match text.split(':').collect::<Vec<_>>()[..] {
            ["none"] => Ok(Self::None),
            ["l1", weight] => Ok(Self::L1(number(weight)?)),
            ["kl", rho, beta] => Ok(Self::Kl { rho: number(rho)?, beta: number(beta)? }),
            ["topk", units] => Ok(Self::TopK(units.parse().map_err(|_| wrong())?)),
            _ => Err(wrong()),
        }
    }
}

impl std::fmt::Display for Sparsity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::L1(weight) => write!(f, "l1:{weight}"),
            Self::Kl { rho, beta } => write!(f, "kl:{rho}:{beta}"),
            Self::TopK(units) => write!(f, "topk:{units}"),
        }
    }
}

impl TryFrom<String> for Corruption {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<Corruption> for String {
    fn from(noise: Corruption) -> Self {
        noise.to_string()
    }
}

impl TryFrom<String> for Sparsity {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<Sparsity> for String {
    fn from(sparsity: Sparsity) -> Self {
        sparsity.to_string()
    }
}
