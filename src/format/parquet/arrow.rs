//! The entry `ARROW:schema` of a Parquet file, which tells readers that all vectors have one length.
//!
//! Parquet itself knows lists of any length only. Arrow's readers (pyarrow, Polars, LanceDB) take the type of a column
//! from this entry: base64 of an encapsulated message (`Message.fbs` and `Schema.fbs` of apache/arrow), which is a
//! FlatBuffer. Tables are laid out front to back here: a table's vtable, the table, and then what it points at, since
//! offsets point forward.

/// A type of Arrow's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Type {
    Utf8,
    Int64,
    /// Floats of 16 or 32 bits.
    Float(u8),
    /// So many floats of 16 or 32 bits.
    Vector(u8, i32),
}

/// The entry for columns of these names and types, none of which may lack a value.
pub(super) fn schema(columns: &[(&str, Type)]) -> String {
    let mut buffer = Buffer(vec![0; 4]);
    // Message: version 5, a schema.
    let message = buffer.table(&[(0, Slot::I16(4)), (1, Slot::U8(1)), (2, Slot::Offset)]);
    buffer.point(0, message.start);
    let schema = buffer.table(&[(1, Slot::Offset)]);
    buffer.point(message.offsets[0], schema.start);
    buffer.fields(schema.offsets[0], columns);
    while !buffer.0.len().is_multiple_of(8) {
        buffer.0.push(0);
    }
    let length = (buffer.0.len() as u32).to_le_bytes();
    base64(&[&[0xff; 4], &length[..], &buffer.0].concat())
}

/// A field of a table.
enum Slot {
    U8(u8),
    I16(i16),
    I32(i32),
    Offset,
}

/// Where a table lies, and its offsets, which are still to be filled.
struct Table {
    start: usize,
    offsets: Vec<usize>,
}

struct Buffer(Vec<u8>);

impl Buffer {
    fn align(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// Appends a table with some of its fields, by number; each takes four bytes.
    fn table(&mut self, fields: &[(usize, Slot)]) -> Table {
        let slots = fields.iter().map(|(number, _)| number + 1).max().unwrap_or(0);
        let vtable = self.0.len();
        let mut positions = vec![0u16; slots];
        fields.iter().enumerate().for_each(|(at, (number, _))| positions[*number] = 4 + 4 * at as u16);
        let sizes = [4 + 2 * slots as u16, 4 + 4 * fields.len() as u16];
        self.0.extend(sizes.iter().chain(&positions).flat_map(|number| number.to_le_bytes()));
        self.align();
        let start = self.0.len();
        self.0.extend(((start - vtable) as i32).to_le_bytes());
        let mut offsets = Vec::new();
        for (_, slot) in fields {
            match slot {
                Slot::U8(value) => self.0.extend([*value, 0, 0, 0]),
                Slot::I16(value) => self.0.extend(i32::from(*value).to_le_bytes()),
                Slot::I32(value) => self.0.extend(value.to_le_bytes()),
                Slot::Offset => {
                    offsets.push(self.0.len());
                    self.0.extend([0; 4]);
                }
            }
        }
        Table { start, offsets }
    }

    /// Fills an offset.
    fn point(&mut self, offset: usize, target: usize) {
        self.0[offset..offset + 4].copy_from_slice(&((target - offset) as u32).to_le_bytes());
    }

    /// Appends a list of fields, to which the offset will point.
    fn fields(&mut self, offset: usize, columns: &[(&str, Type)]) {
        let list = self.0.len();
        self.point(offset, list);
        self.0.extend((columns.len() as u32).to_le_bytes());
        self.0.resize(list + 4 + 4 * columns.len(), 0);
        for (at, &(name, kind)) in columns.iter().enumerate() {
            let (number, parameters): (u8, &[(usize, Slot)]) = match kind {
                Type::Utf8 => (5, &[]),
                Type::Int64 => (2, &[(0, Slot::I32(64)), (1, Slot::U8(1))]),
                Type::Float(16) => (3, &[]),
                Type::Float(_) => (3, &[(0, Slot::I16(1))]),
                Type::Vector(_, length) => (16, &[(0, Slot::I32(length))]),
            };
            let field = [(0, Slot::Offset), (2, Slot::U8(number)), (3, Slot::Offset), (5, Slot::Offset)];
            let field = self.table(&field);
            self.point(list + 4 + 4 * at, field.start);
            self.point(field.offsets[0], self.0.len());
            self.0.extend((name.len() as u32).to_le_bytes());
            self.0.extend(name.bytes().chain([0]));
            self.align();
            let parameters = self.table(parameters);
            self.point(field.offsets[1], parameters.start);
            match kind {
                Type::Vector(bits, _) => self.fields(field.offsets[2], &[("element", Type::Float(bits))]),
                _ => self.fields(field.offsets[2], &[]),
            }
        }
    }
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let quad = |three: &[u8]| {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let letter = move |at: usize| char::from(LETTERS[(bits >> (18 - 6 * at) & 63) as usize]);
        let count = three.len();
        (0..4).map(move |at| if at <= count { letter(at) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(quad).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }
}
