//! Pictures, made anew: what is served has the pixels of what was uploaded, and nothing else of it.
//!
//! No camera, no place, no time, no name, no second picture behind the first, no archive behind the last
//! byte. The price: colour profiles are dropped and not converted (a picture of wide gamut looks a little
//! paler), and what moves stands still: the first picture of a GIF, WebP or PNG is kept.

use std::io::Cursor;
use std::panic::catch_unwind;

use ::image::codecs::gif::GifDecoder;
use ::image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use ::image::codecs::png::PngDecoder;
use ::image::codecs::webp::{WebPDecoder, WebPEncoder};
use ::image::imageops::FilterType;
use ::image::metadata::Orientation;
use ::image::{DynamicImage, ExtendedColorType, ImageDecoder, Limits};
use barterline_domain::media::Size;

use crate::kind::Kind;

/// Quality of a JPEG, of 100: no difference is seen, at a fifth of the bytes.
const QUALITY: u8 = 82;
/// Of the smallest size, where nobody looks for one.
const THUMB_QUALITY: u8 = 75;

/// Bytes of a pixel that is counted as one: those of the largest common format, four channels of eight bits.
const PIXEL_BYTES: u64 = 4;
/// What a decoder may take besides its pixels: tables, and what stands in chunks.
const ASIDE_BYTES: u64 = 16 << 20;

/// One size of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Which.
    pub size: Size,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The file.
    pub bytes: Vec<u8>,
    /// Its type: `image/jpeg`, or `image/webp` where one sees through.
    pub media_type: &'static str,
}

/// Why nothing is made of a picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// It claims more pixels than are decoded. Nothing was.
    #[error("more pixels than are decoded")]
    TooManyPixels,
    /// It is cut off, or is not what it begins as.
    #[error("damaged picture: {0}")]
    Damaged(String),
}

impl From<::image::ImageError> for ImageError {
    fn from(error: ::image::ImageError) -> Self {
        match error {
            ::image::ImageError::Limits(_) => Self::TooManyPixels,
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// Makes a picture anew: upright, in the sizes that are smaller than it is, the largest first. JPEG, or
/// WebP without loss where any pixel lets something through.
///
/// `pixels_max` is held against what the file says of itself before anything is decoded, and what it says
/// against what is in it; a pixel of more than four bytes (16 bits a channel) counts as the pixels that it
/// weighs. Memory is taken for one picture: 3 bytes a pixel for a JPEG (a photograph of 12 megapixels: 36
/// MB), 6 or 8 more while a progressive one is decoded, 4 for a PNG, 5 to 9 for a GIF, up to 14 for a
/// WebP; then up to 200 MB to convert, turn and encode the largest size.
///
/// Blocks its thread: a second or so for a large photograph.
pub fn re_encode(bytes: &[u8], kind: Kind, pixels_max: u64) -> Result<Vec<Encoded>, ImageError> {
    // Decoders are of others: what one of them falls over is damaged, and ends no thread of ours.
    let decoded = catch_unwind(|| decode(bytes, kind, pixels_max));
    let (picture, orientation) =
        decoded.unwrap_or_else(|_| Err(damaged("its decoder fell over it")))?;
    // What is small is turned sooner.
    let mut picture = plain(within(picture, Size::Full));
    picture.apply_orientation(orientation);
    let mut sizes = vec![encode(&picture, Size::Full)?];
    for size in [Size::Medium, Size::Thumb] {
        if picture.width().max(picture.height()) > size.side_max() {
            picture = within(picture, size);
            sizes.push(encode(&picture, size)?);
        }
    }
    Ok(sizes)
}

fn damaged(why: &str) -> ImageError {
    ImageError::Damaged(why.to_owned())
}

fn decode(
    bytes: &[u8],
    kind: Kind,
    pixels_max: u64,
) -> Result<(DynamicImage, Orientation), ImageError> {
    let bytes = whole(bytes, kind).ok_or_else(|| damaged("cut off"))?;
    if kind == Kind::WebP && largest_lossy_frame(bytes) > pixels_max {
        return Err(ImageError::TooManyPixels);
    }
    let bytes_max = pixels_max.saturating_mul(PIXEL_BYTES);
    let side_max = u32::try_from(pixels_max).ok();
    let mut limits = Limits::no_limits();
    limits.max_image_width = side_max;
    limits.max_image_height = side_max;
    limits.max_alloc = Some(bytes_max.saturating_add(ASIDE_BYTES));
    let mut decoder = open(bytes, kind, &limits)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(damaged("no pixel"));
    }
    if u64::from(width) * u64::from(height) > pixels_max || decoder.total_bytes() > bytes_max {
        return Err(ImageError::TooManyPixels);
    }
    decoder.set_limits(limits)?;
    // Damaged metadata are no reason to refuse the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((DynamicImage::from_decoder(decoder)?, orientation))
}

/// Reads as much as says how large it is.
fn open<'a>(
    bytes: &'a [u8],
    kind: Kind,
    limits: &Limits,
) -> Result<Box<dyn ImageDecoder + 'a>, ImageError> {
    let bytes = Cursor::new(bytes);
    let decoder: Box<dyn ImageDecoder + 'a> = match kind {
        Kind::Jpeg => Box::new(JpegDecoder::new(bytes)?),
        Kind::Png => Box::new(PngDecoder::with_limits(bytes, limits.clone())?),
        Kind::WebP => Box::new(WebPDecoder::new(bytes)?),
        Kind::Gif => Box::new(GifDecoder::new(bytes)?),
        _ => return Err(damaged("no picture")),
    };
    Ok(decoder)
}

/// The file up to where it says that it ends; `None`: it is cut off before. Decoders of JPEG paint grey
/// what is missing, and that of WebP forgives missing chunks and takes memory for what a chunk says that it
/// has; those of PNG and GIF want each pixel.
fn whole(bytes: &[u8], kind: Kind) -> Option<&[u8]> {
    match kind {
        Kind::Jpeg => whole_jpeg(bytes),
        Kind::WebP => {
            let (_, size, data) = riff_chunks(bytes, 0).next()?;
            let file = bytes.get(..bytes.len() - data.len() + size)?;
            webp_chunks(file).all(|(size, data)| size <= data.len()).then_some(file)
        }
        _ => Some(bytes),
    }
}

/// Up to the marker that says that the picture ends, outside of all segments: a smaller picture in one of
/// them has an end, too.
fn whole_jpeg(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 2;
    loop {
        at += match bytes.get(at..)? {
            [0xff, 0xd9, ..] => return bytes.get(..at + 2),
            // A byte that fills up.
            [0xff, 0xff, ..] => 1,
            // Within a scan: the byte 0xff itself, or a place to start again.
            [0xff, 0x00 | 0x01 | 0xd0..=0xd8, ..] => 2,
            [0xff, _, high, low, ..] => 2 + usize::from(u16::from_be_bytes([*high, *low])),
            // Pixels.
            [first, ..] if *first != 0xff => 1,
            _ => return None,
        };
    }
}

/// Pixels of the largest frame of VP8 in a WebP. The file says how large it is beside its frames, and the
/// decoder compares when it has decoded one: that would be a bomb in a small parcel. (Frames without loss
/// are compared first.)
fn largest_lossy_frame(file: &[u8]) -> u64 {
    webp_chunks(file).map(|(_, data)| lossy_pixels(data)).max().unwrap_or(0)
}

/// Chunks of a WebP, and the first two in each frame of one that moves, where its pixels are: how many
/// bytes each says that it has, and everything from its data on.
fn webp_chunks(file: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    riff_chunks(file, 12).flat_map(|(name, size, data)| {
        let inner = if name == b"ANMF" { data.get(16..) } else { None };
        let inner = riff_chunks(inner.unwrap_or_default(), 0).take(2);
        std::iter::once((size, data)).chain(inner.map(|(_, size, data)| (size, data)))
    })
}

/// Chunks from `at` on: the name of each, how many bytes it says that it has, and everything from its data
/// on.
fn riff_chunks(bytes: &[u8], mut at: usize) -> impl Iterator<Item = (&[u8], usize, &[u8])> {
    std::iter::from_fn(move || {
        let (header, data) = bytes.get(at..)?.split_at_checked(8)?;
        let (name, size) = header.split_at(4);
        let size = u32::from_le_bytes(size.try_into().ok()?) as usize;
        at += 8 + size + size % 2;
        Some((name, size, data))
    })
}

/// Pixels of the frame that starts here, by whatever name; 0: none does.
fn lossy_pixels(data: &[u8]) -> u64 {
    let [_, _, _, 0x9d, 0x01, 0x2a, a, b, c, d, ..] = data else { return 0 };
    let side = |low: u8, high: u8| u64::from(u16::from_le_bytes([low, high]) & 0x3fff);
    side(*a, *b) * side(*c, *d)
}

/// The picture, no longer at its longer side than a size is.
fn within(picture: DynamicImage, size: Size) -> DynamicImage {
    let (longer, side) = (picture.width().max(picture.height()), size.side_max());
    if longer <= side {
        return picture;
    }
    let scaled = |length: u32| {
        let (length, side, longer) = (u64::from(length), u64::from(side), u64::from(longer));
        ((length * side + longer / 2) / longer).max(1) as u32
    };
    let (width, height) = (scaled(picture.width()), scaled(picture.height()));
    // Taking the mean of whole pixels is fast and takes no memory; with fewer than two to one, lines fray.
    // In the largest size nobody sees that, and the other way would take 16 bytes a pixel.
    if size == Size::Full || longer >= 2 * side {
        picture.thumbnail_exact(width, height)
    } else {
        picture.resize_exact(width, height, FilterType::Triangle)
    }
}

/// The picture with eight bits a channel, and with transparency only where one sees through.
fn plain(picture: DynamicImage) -> DynamicImage {
    if !picture.has_alpha() {
        return picture.into_rgb8().into();
    }
    let picture = picture.into_rgba8();
    let is_opaque = picture.pixels().all(|pixel| pixel.0[3] == u8::MAX);
    let picture = DynamicImage::from(picture);
    if is_opaque { picture.into_rgb8().into() } else { picture }
}

/// Encodes what [`plain`] made.
fn encode(picture: &DynamicImage, size: Size) -> Result<Encoded, ImageError> {
    let (pixels, width, height) = (picture.as_bytes(), picture.width(), picture.height());
    let mut bytes = Vec::new();
    let kind = if picture.has_alpha() {
        let encoder = WebPEncoder::new_lossless(&mut bytes);
        encoder.encode(pixels, width, height, ExtendedColorType::Rgba8)?;
        Kind::WebP
    } else {
        let quality = if size == Size::Thumb { THUMB_QUALITY } else { QUALITY };
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
        encoder.encode(pixels, width, height, ExtendedColorType::Rgb8)?;
        Kind::Jpeg
    };
    Ok(Encoded { size, width, height, bytes, media_type: kind.media_type() })
}
