//! The tables of a run in a checkpoint: weights, moments, how far each row has come, and the best weights so far.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::Dtype;

use super::model::FILE;
use super::network::Shape;
use super::table::Table;
use crate::error::{Error, Result};
use crate::io::{Container, ContainerWriter, checksum};
use crate::math::fingerprint;

/// The kind in the header.
const KIND: &str = "autoencoder-checkpoint";
/// The header's entry with a checksum of all numbers.
const FINGERPRINT: &str = "firth.fingerprint";
/// What names of the best weights begin with.
const BEST: &str = "best.";

/// Tables that were read: names and numbers.
#[derive(Debug)]
pub(super) struct Tables {
    numbers: BTreeMap<String, Vec<f32>>,
    touched: BTreeMap<String, Vec<u32>>,
}

/// The parts of a table, by the ending of their names.
fn parts(table: &Table) -> [(&'static str, &Vec<f32>); 3] {
    [("", &table.weights), (".first", &table.first), (".second", &table.second)]
}

impl Tables {
    /// Writes them into a folder.
    pub fn write(folder: &Path, shape: &Shape, tables: &[Table], best: Option<&[Vec<f32>]>) -> Result<()> {
        let layout = shape.layout();
        let mut all: Vec<(String, &[f32])> = Vec::new();
        let mut touched: Vec<(String, &[u32])> = Vec::new();
        for (spec, table) in layout.iter().zip(tables) {
            all.extend(parts(table).map(|(ending, numbers)| (format!("{}{ending}", spec.name), numbers.as_slice())));
            touched.push((format!("{}.touched", spec.name), &table.touched));
        }
        for (spec, numbers) in layout.iter().zip(best.unwrap_or_default()) {
            all.push((format!("{BEST}{}", spec.name), numbers));
        }
        // In the order in which they will be read.
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        touched.sort_by(|(a, _), (b, _)| a.cmp(b));
        let sum = Self::sum(all.iter().map(|(_, numbers)| *numbers), touched.iter().map(|(_, steps)| *steps));
        let metadata = BTreeMap::from([(FINGERPRINT.to_owned(), format!("{sum:016x}"))]);
        let tensors: Vec<(&str, Dtype, Vec<usize>)> = all
            .iter()
            .map(|(name, numbers)| (name.as_str(), Dtype::F32, vec![numbers.len()]))
            .chain(touched.iter().map(|(name, steps)| (name.as_str(), Dtype::U32, vec![steps.len()])))
            .collect();
        let mut writer = ContainerWriter::create(&folder.join(FILE), KIND, &metadata, &tensors)?;
        all.iter().try_for_each(|(_, numbers)| writer.write(numbers))?;
        touched.iter().try_for_each(|(_, steps)| writer.write(steps))?;
        writer.commit()
    }

    /// Reads them, and checks that they are as they were written.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let container = Container::open_kind(&path, KIND)?;
        let (mut numbers, mut touched) = (BTreeMap::new(), BTreeMap::new());
        for name in container.names() {
            if container.shape(&name)?.0 == Dtype::U32 {
                touched.insert(name.clone(), container.slice::<u32>(&name)?.to_vec());
            } else {
                numbers.insert(name.clone(), container.slice::<f32>(&name)?.to_vec());
            }
        }
        Self { numbers, touched }.checked(&container)
    }

    /// A checksum of all numbers, in the order of their names.
    fn sum<'a>(numbers: impl Iterator<Item = &'a [f32]>, touched: impl Iterator<Item = &'a [u32]>) -> u64 {
        let steps = touched.map(|steps| (checksum::part(steps, 0, |step| u64::from(step) + 1), steps.len() as u64));
        checksum::join(&[(fingerprint(numbers), 0)].into_iter().chain(steps).collect::<Vec<_>>())
    }

    fn checked(self, container: &Container) -> Result<Self> {
        let expected = container.entry(FINGERPRINT).unwrap_or_default().to_owned();
        let sum = Self::sum(self.numbers.values().map(Vec::as_slice), self.touched.values().map(Vec::as_slice));
        let found = format!("{sum:016x}");
        if found == expected {
            return Ok(self);
        }
        let what = format!("{}: fingerprint of the tables (the checkpoint is damaged)", container.path().display());
        Err(Error::mismatch(what, expected, found))
    }

    /// Puts them into the tables of a run; returns the best weights so far.
    pub fn install(mut self, shape: &Shape, tables: &mut [Table]) -> Result<Option<Vec<Vec<f32>>>> {
        let layout = shape.layout();
        let mut take = |name: &str, length: usize| {
            let found = self.numbers.remove(name).filter(|numbers| numbers.len() == length);
            found.ok_or_else(|| Error::mismatch(format!("table {name} of the checkpoint"), length, "another or none"))
        };
        for (spec, table) in layout.iter().zip(tables) {
            let length = spec.rows * spec.cols;
            table.weights = take(&spec.name, length)?;
            table.first = take(&format!("{}.first", spec.name), length)?;
            table.second = take(&format!("{}.second", spec.name), length)?;
            let name = format!("{}.touched", spec.name);
            let touched = self.touched.remove(&name).filter(|touched| touched.len() == spec.rows);
            table.touched =
                touched.ok_or_else(|| Error::mismatch(name, spec.rows, "another number of rows or none"))?;
        }
        let best = layout.iter().map(|spec| self.numbers.remove(&format!("{BEST}{}", spec.name)));
        Ok(best.collect())
    }
}
