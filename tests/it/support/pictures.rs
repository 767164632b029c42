//! Files to upload: as people have them, and as nobody should.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

/// What a camera writes into its pictures, and nobody else is to read.
pub const CAMERA: &str = "A camera of Ana's own";

/// A photograph as a telephone makes it that is held on its side: the left half is red, which is up,
/// the other one blue; with the camera, and the place.
pub fn photo(width: u32, height: u32) -> Vec<u8> {
    let plain = plain(width, height, ImageFormat::Jpeg);
    let exif = exif();
    let length = u16::try_from(exif.len() + 2).expect("a short segment").to_be_bytes();
    [&plain[..2], &[0xff, 0xe1][..], &length[..], &exif[..], &plain[2..]].concat()
}

/// The same picture without a word about it.
pub fn plain(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let halves =
        |x: u32, _: u32| if x < width / 2 { Rgb([220, 20, 20]) } else { Rgb([20, 20, 220]) };
    encoded(&RgbImage::from_fn(width, height, halves).into(), format)
}

/// A picture of which half is not there.
pub fn transparent(width: u32, height: u32) -> Vec<u8> {
    let halves = |x: u32, _: u32| Rgba([20, 220, 20, if x < width / 2 { 0 } else { 255 }]);
    encoded(&RgbaImage::from_fn(width, height, halves).into(), ImageFormat::Png)
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("a picture");
    bytes.into_inner()
}

/// A few bytes that claim to be a picture of so many pixels.
pub fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    // Eight bits of each of three colours.
    head.extend([8, 2, 0, 0, 0]);
    let nothing = [0x78, 0x9c, 3, 0, 0, 0, 0, 1];
    let chunks: [(&[u8], &[u8]); 3] = [(b"IHDR", &head), (b"IDAT", &nothing), (b"IEND", &[])];
    for (kind, data) in chunks {
        bytes.extend(u32::try_from(data.len()).expect("a short chunk").to_be_bytes());
        let chunk = [kind, data].concat();
        bytes.extend(&chunk);
        bytes.extend(crc(&chunk).to_be_bytes());
    }
    bytes
}

/// The checksum of PNG (ISO 3309), bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let bit = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc));
    !bytes.iter().fold(!0, byte)
}

/// EXIF with the camera, how it was held, and the Brandenburg Gate.
fn exif() -> Vec<u8> {
    const ASCII: u16 = 2;
    const SHORT: u16 = 3;
    const LONG: u16 = 4;
    const RATIONAL: u16 = 5;
    let long = |number: usize| u32::try_from(number).expect("a small number").to_be_bytes();
    let camera = format!("{CAMERA}\0").into_bytes();
    // Where things stand: behind the head of eight bytes, and the three entries of the first table.
    let name = 8 + table(&[(0, 0, 0, [0; 4]); 3]).len();
    let gps = name + camera.len();
    let places = gps + table(&[(0, 0, 0, [0; 4]); 4]).len();
    let length = u32::try_from(camera.len()).expect("a short name");
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08".to_vec();
    exif.extend(table(&[
        (0x0110, ASCII, length, long(name)),
        // To be turned to the right by a quarter.
        (0x0112, SHORT, 1, [0, 6, 0, 0]),
        (0x8825, LONG, 1, long(gps)),
    ]));
    exif.extend(camera);
    exif.extend(table(&[
        (1, ASCII, 2, *b"N\0\0\0"),
        (2, RATIONAL, 3, long(places)),
        (3, ASCII, 2, *b"E\0\0\0"),
        (4, RATIONAL, 3, long(places + 24)),
    ]));
    for number in [52_u32, 30, 58, 13, 22, 39] {
        exif.extend(number.to_be_bytes());
        exif.extend(1_u32.to_be_bytes());
    }
    exif
}

/// A table of TIFF, the last of its row: what each entry is called, its type, its count, and its value
/// or where that stands.
fn table(entries: &[(u16, u16, u32, [u8; 4])]) -> Vec<u8> {
    let mut bytes = u16::try_from(entries.len()).expect("few entries").to_be_bytes().to_vec();
    for (name, kind, count, value) in entries {
        bytes.extend(name.to_be_bytes());
        bytes.extend(kind.to_be_bytes());
        bytes.extend(count.to_be_bytes());
        bytes.extend(value);
    }
    bytes.extend([0; 4]);
    bytes
}
