//! Pictures as people upload them, and as people upload them who mean harm.

use std::io::Cursor;

use barterline_domain::media::Size;
use barterline_media::{Encoded, ImageError, Kind, re_encode};
use image::codecs::gif::GifEncoder;
use image::{
    DynamicImage, Frame, GrayImage, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage,
};

const PIXELS_MAX: u64 = 50_000_000;

const RED: Rgb<u8> = Rgb([220, 20, 20]);
const BLUE: Rgb<u8> = Rgb([20, 20, 220]);

/// Red on the left, blue on the right.
fn two_colours(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, _| if x < width / 2 { RED } else { BLUE }).into()
}

/// Nothing that packs well.
fn noise(width: u32, height: u32) -> DynamicImage {
    let mut state = 7_u32;
    RgbImage::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [_, red, green, blue] = state.to_le_bytes();
        Rgb([red, green, blue])
    })
    .into()
}

fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).expect("a picture that was made here");
    file.into_inner()
}

fn made_anew(bytes: &[u8]) -> Vec<Encoded> {
    let kind = Kind::of(bytes).expect("a kind");
    re_encode(bytes, kind, PIXELS_MAX).expect("a sound picture")
}

/// Why a picture is refused.
fn refused(bytes: &[u8]) -> ImageError {
    let kind = Kind::of(bytes).expect("a kind");
    re_encode(bytes, kind, PIXELS_MAX).expect_err("no sound picture")
}

fn is_damaged(error: &ImageError) -> bool {
    matches!(error, ImageError::Damaged(_))
}

fn pixels(encoded: &Encoded) -> RgbImage {
    let decoded = image::load_from_memory(&encoded.bytes).expect("what was encoded is decoded");
    assert_eq!((decoded.width(), decoded.height()), (encoded.width, encoded.height));
    decoded.into_rgb8()
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// A JPEG with segments behind its first marker.
fn with_segments(jpeg: &[u8], segments: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = jpeg[..2].to_vec();
    for (marker, data) in segments {
        bytes.extend([0xff, *marker]);
        bytes.extend((data.len() as u16 + 2).to_be_bytes());
        bytes.extend(data);
    }
    bytes.extend(&jpeg[2..]);
    bytes
}

/// EXIF as a camera writes it that was held upright: to be turned by a quarter, and where that was.
fn exif() -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0".to_vec();
    exif.extend(b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0");
    exif.extend(b"\x25\x88\x04\0\x01\0\0\0\x26\0\0\0\0\0\0\0");
    exif.extend(b"\x01\0\x01\0\x02\0\x02\0\0\0N\0\0\0\0\0\0\0SECRET-PLACE");
    exif
}

/// A chunk of a WebP.
fn chunk(name: &[u8], data: &[u8]) -> Vec<u8> {
    [name, (data.len() as u32).to_le_bytes().as_slice(), data].concat()
}

#[test]
fn a_photograph_is_upright_and_says_nothing_of_its_place() {
    let photograph = with_segments(
        &file(&two_colours(64, 32), ImageFormat::Jpeg),
        &[
            (0xe1, exif()),
            (0xe1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>SECRET</x:xmpmeta>".to_vec()),
            (0xed, b"Photoshop 3.0\x008BIM SECRET".to_vec()),
            (0xfe, b"SECRET comment".to_vec()),
        ],
    );
    let sizes = made_anew(&photograph);
    let [full] = sizes.as_slice() else { panic!("it is small") };
    assert_eq!((full.width, full.height, full.media_type), (32, 64, "image/jpeg"));
    let pixels = pixels(full);
    let [top, bottom] = [pixels.get_pixel(16, 8), pixels.get_pixel(16, 56)];
    assert!(top.0[0] > 150 && top.0[2] < 100, "what was left is above: {top:?}");
    assert!(bottom.0[2] > 150 && bottom.0[0] < 100, "what was right is below: {bottom:?}");
    for word in ["SECRET", "Exif", "adobe", "Photoshop"] {
        assert!(!contains(&full.bytes, word.as_bytes()), "{word}");
    }
}

#[test]
fn a_large_picture_has_three_sizes_and_a_small_one_has_one() {
    let sides = |bytes: &[u8]| {
        let sizes = made_anew(bytes);
        sizes.iter().map(|it| (it.size, it.width, it.height)).collect::<Vec<_>>()
    };
    let (full, medium, thumb) = (Size::Full, Size::Medium, Size::Thumb);
    let wide = file(&two_colours(6_000, 60), ImageFormat::Png);
    let expected = [(full, 4_096, 41), (medium, 1_280, 13), (thumb, 320, 3)];
    assert_eq!(sides(&wide), expected);
    let tall = file(&two_colours(900, 2_000), ImageFormat::Jpeg);
    let expected = [(full, 900, 2_000), (medium, 576, 1_280), (thumb, 144, 320)];
    assert_eq!(sides(&tall), expected);
    let middling = file(&two_colours(500, 400), ImageFormat::WebP);
    assert_eq!(sides(&middling), [(full, 500, 400), (thumb, 320, 256)]);
    let thin = file(&two_colours(5_000, 1), ImageFormat::Png);
    assert_eq!(sides(&thin), [(full, 4_096, 1), (medium, 1_280, 1), (thumb, 320, 1)]);
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
        assert_eq!(sides(&file(&two_colours(1, 1), format)), [(full, 1, 1)], "{format:?}");
    }
}

#[test]
fn every_size_shows_the_same() {
    for encoded in made_anew(&file(&two_colours(2_000, 1_000), ImageFormat::Png)) {
        let pixels = pixels(&encoded);
        let (left, right) = (encoded.width / 8, encoded.width / 8 * 7);
        let [left, right] = [left, right].map(|x| *pixels.get_pixel(x, encoded.height / 2));
        assert!(left.0[0] > 200 && left.0[2] < 60, "{:?}: {left:?}", encoded.size);
        assert!(right.0[2] > 200 && right.0[0] < 60, "{:?}: {right:?}", encoded.size);
    }
}

#[test]
fn what_one_sees_through_stays_so_and_all_else_is_a_jpeg() {
    let sheer = RgbaImage::from_fn(400, 400, |x, y| Rgba([x as u8, y as u8, 9, 128 + y as u8 / 4]));
    let sizes = made_anew(&file(&sheer.clone().into(), ImageFormat::Png));
    assert_eq!(sizes.iter().map(|it| it.media_type).collect::<Vec<_>>(), ["image/webp"; 2]);
    let again = image::load_from_memory(&sizes[0].bytes).expect("a picture").into_rgba8();
    assert!(again.as_raw() == sheer.as_raw(), "nothing is lost");
    let opaque = RgbaImage::from_pixel(40, 40, Rgba([1, 2, 3, 255]));
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let sizes = made_anew(&file(&opaque.clone().into(), format));
        assert_eq!(sizes[0].media_type, "image/jpeg", "{format:?}");
    }
    let grey = DynamicImage::ImageLuma8(GrayImage::from_pixel(9, 9, Luma([100])));
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let pixel = *pixels(&made_anew(&file(&grey, format))[0]).get_pixel(4, 4);
        assert!(pixel.0.iter().all(|channel| channel.abs_diff(100) < 4), "{format:?}: {pixel:?}");
    }
}

#[test]
fn what_moves_stands_still_at_its_first_picture() {
    let mut bytes = Vec::new();
    let frames = [RED, BLUE].map(|Rgb([red, green, blue])| {
        Frame::new(RgbaImage::from_pixel(32, 32, Rgba([red, green, blue, 255])))
    });
    GifEncoder::new(&mut bytes).encode_frames(frames).expect("two frames");
    let pixel = *pixels(&made_anew(&bytes)[0]).get_pixel(16, 16);
    assert!(pixel.0[0] > 200 && pixel.0[2] < 60, "{pixel:?}");
}

#[test]
fn what_stands_behind_a_picture_or_in_it_is_gone() {
    let tail = b"PK\x03\x04<script>alert(1)</script>";
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        let bytes = [file(&noise(40, 40), format).as_slice(), tail].concat();
        for encoded in made_anew(&bytes) {
            assert!(!contains(&encoded.bytes, b"PK\x03\x04"), "{format:?}");
            assert!(!contains(&encoded.bytes, b"script"), "{format:?}");
        }
    }
    // A program to one reader, and the beginning of a picture to another.
    refused(b"GIF89a=1;alert(document.domain)//");
}

#[test]
fn what_is_cut_off_is_refused() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        let bytes = file(&noise(80, 80), format);
        for end in [bytes.len() / 4, bytes.len() / 2, bytes.len() * 9 / 10] {
            assert!(is_damaged(&refused(&bytes[..end])), "{format:?} at {end} of {}", bytes.len());
        }
        let head = &bytes[..13];
        assert!(is_damaged(&refused(head)), "{format:?}");
    }
    let jpeg = file(&noise(80, 80), ImageFormat::Jpeg);
    assert!(is_damaged(&refused(&jpeg[..jpeg.len() - 2])), "without its end");
    // The small picture in its metadata has an end, and the picture has none.
    let small = file(&noise(8, 8), ImageFormat::Jpeg);
    let both = with_segments(&jpeg, &[(0xe1, [b"Exif\0\0".as_slice(), &small].concat())]);
    assert_eq!(made_anew(&both).len(), 1);
    assert!(is_damaged(&refused(&both[..both.len() - 200])));
}

#[test]
fn what_is_no_picture_is_refused() {
    for kind in [Kind::Jpeg, Kind::Png, Kind::WebP, Kind::Gif, Kind::Pdf, Kind::Mp4] {
        for bytes in [b"".as_slice(), b"%PDF-1.7", b"<svg/>", &[0xff; 64], &[0; 64]] {
            let answer = re_encode(bytes, kind, PIXELS_MAX);
            assert!(answer.is_err_and(|error| is_damaged(&error)), "{kind:?}");
        }
    }
    let empty = b"GIF89a\0\0\0\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\0\0\0\0\0\x02\x02\x44\x01\0;";
    assert!(is_damaged(&refused(empty)));
}

#[test]
fn a_bomb_is_refused_before_it_is_decoded() {
    let mut png = file(&two_colours(8, 8), ImageFormat::Png);
    let side = 60_000_u32.to_be_bytes();
    png[16..24].copy_from_slice(&[side, side].concat());
    let checksum = crc32(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&checksum);
    assert_eq!(refused(&png), ImageError::TooManyPixels);

    let mut jpeg = file(&two_colours(8, 8), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|bytes| bytes == [0xff, 0xc0]).expect("a frame");
    jpeg[frame + 5..frame + 9].fill(0xff);
    assert_eq!(refused(&jpeg), ImageError::TooManyPixels);

    let mut gif = file(&two_colours(8, 8), ImageFormat::Gif);
    gif[6..10].fill(0xff);
    assert_eq!(refused(&gif), ImageError::TooManyPixels);

    // A picture of one pixel, and in it a frame of 16,383 by 16,383.
    let frame = chunk(b"VP8 ", b"\x10\0\0\x9d\x01\x2a\xff\x3f\xff\x3f\0\0\0\0\0\0");
    let moving = chunk(b"ANMF", &[[0; 16].as_slice(), &frame].concat());
    for frame in [frame, moving] {
        let chunks = [b"WEBP".to_vec(), chunk(b"VP8X", &[0; 10]), frame].concat();
        assert_eq!(refused(&chunk(b"RIFF", &chunks)), ImageError::TooManyPixels);
    }
}

#[test]
fn a_frame_larger_than_its_picture_is_no_way_around() {
    let mut gif = file(&two_colours(8, 8), ImageFormat::Gif);
    let frame =
        gif.windows(9).position(|bytes| bytes == b",\0\0\0\0\x08\0\x08\0").expect("a frame");
    gif[frame + 5..frame + 9].fill(0xff);
    assert_eq!(refused(&gif), ImageError::TooManyPixels);
}

#[test]
fn a_chunk_that_says_that_it_is_large_takes_no_memory() {
    let pixels = file(&two_colours(8, 8), ImageFormat::WebP).split_off(12);
    let header = chunk(b"VP8X", b"\x08\0\0\0\x07\0\0\x07\0\0");
    let sound = chunk(b"EXIF", &exif());
    let mut boasting = chunk(b"EXIF", b"");
    boasting[4..].copy_from_slice(&(u32::MAX - 1).to_le_bytes());
    let with = |tag: Vec<u8>| {
        let chunks = [b"WEBP".to_vec(), header.clone(), pixels.clone(), tag].concat();
        chunk(b"RIFF", &chunks)
    };
    assert_eq!(made_anew(&with(sound)).len(), 1);
    assert!(is_damaged(&refused(&with(boasting))));
}

#[test]
fn the_limit_is_of_pixels_and_of_what_they_weigh() {
    let bytes = file(&two_colours(100, 50), ImageFormat::Png);
    assert!(re_encode(&bytes, Kind::Png, 5_000).is_ok());
    assert_eq!(re_encode(&bytes, Kind::Png, 4_999), Err(ImageError::TooManyPixels));
    let deep = ImageBuffer::from_pixel(100, 50, Rgba([1, 2, 3, u16::MAX]));
    let bytes = file(&DynamicImage::ImageRgba16(deep), ImageFormat::Png);
    assert!(re_encode(&bytes, Kind::Png, 10_000).is_ok());
    assert_eq!(re_encode(&bytes, Kind::Png, 9_999), Err(ImageError::TooManyPixels));
}

/// As PNG has it.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes
        .iter()
        .fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}
