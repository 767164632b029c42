//! What a file is, by how it begins. Names and announced types are not asked.
//!
//! Whatever could be more than shown by a browser has no kind here: SVG, HTML, archives, programs. What
//! has one may still be something else further on (a picture with an archive behind it): pictures are made
//! anew ([`crate::image`]), and all else is served as nothing but its type.

/// As much of the beginning of a file as [`Kind::of`] looks at.
pub const HEAD_BYTES: usize = 4_096;

/// Kinds of files that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A picture, of a camera most often.
    Jpeg,
    /// A picture without loss.
    Png,
    /// A picture, with loss or without.
    WebP,
    /// A picture of few colours, often one that moves.
    Gif,
    /// MPEG-4 and 3GP.
    Mp4,
    /// Apple's, from which MPEG-4 comes.
    QuickTime,
    /// Matroska with the codecs that browsers have.
    WebM,
    /// MPEG audio, layer III.
    Mp3,
    /// MPEG-4 with sound alone.
    M4a,
    /// Ogg, with whatever is in it.
    Ogg,
    /// Uncompressed sound.
    Wav,
    /// Sound without loss.
    Flac,
    /// Pages.
    Pdf,
}

/// What one does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// It is made anew, in several sizes.
    Picture,
    /// It is passed through and played.
    Video,
    /// It is passed through and listened to.
    Audio,
    /// It is passed through and kept.
    Document,
}

impl Family {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Picture, Self::Video, Self::Audio, Self::Document];
}

/// What says by its first bytes alone what it is.
const BEGINNINGS: [(&[u8], Kind); 6] = [
    (b"\xff\xd8\xff", Kind::Jpeg),
    (b"\x89PNG\r\n\x1a\n", Kind::Png),
    (b"GIF87a", Kind::Gif),
    (b"GIF89a", Kind::Gif),
    (b"OggS\0", Kind::Ogg),
    (b"fLaC", Kind::Flac),
];

/// Major brands of MPEG-4 that players know. Pictures have others (AVIF, HEIC), and so have raw ones.
const MP4_BRANDS: [&[u8]; 18] = [
    b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ",
    b"M4VH", b"M4VP", b"mmp4", b"MSNV", b"dash", b"3gp4", b"3gp5", b"3gp6",
];

impl Kind {
    /// What a file is that begins with `head`: its first [`HEAD_BYTES`], or all of it. `None`: nothing
    /// that is taken.
    pub fn of(head: &[u8]) -> Option<Self> {
        let head = &head[..head.len().min(HEAD_BYTES)];
        if let Some((_, kind)) = BEGINNINGS.iter().find(|(bytes, _)| head.starts_with(bytes)) {
            return Some(*kind);
        }
        let form = if head.starts_with(b"RIFF") { head.get(8..).unwrap_or_default() } else { &[] };
        if form.starts_with(b"WEBP") {
            Some(Self::WebP)
        } else if form.starts_with(b"WAVE") {
            Some(Self::Wav)
        } else if is_webm(head) {
            Some(Self::WebM)
        } else if is_pdf(head) {
            Some(Self::Pdf)
        } else if is_mp3(head) {
            Some(Self::Mp3)
        } else {
            by_brand(head)
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
            Self::Mp4 => "video/mp4",
            Self::QuickTime => "video/quicktime",
            Self::WebM => "video/webm",
            Self::Mp3 => "audio/mpeg",
            Self::M4a => "audio/mp4",
            Self::Ogg => "audio/ogg",
            Self::Wav => "audio/wav",
            Self::Flac => "audio/flac",
            Self::Pdf => "application/pdf",
        }
    }

    /// How names of such files end, without the dot.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::WebP => "webp",
            Self::Gif => "gif",
            Self::Mp4 => "mp4",
            Self::QuickTime => "mov",
            Self::WebM => "webm",
            Self::Mp3 => "mp3",
            Self::M4a => "m4a",
            Self::Ogg => "ogg",
            Self::Wav => "wav",
            Self::Flac => "flac",
            Self::Pdf => "pdf",
        }
    }

    /// What one does with it.
    pub const fn family(self) -> Family {
        match self {
            Self::Jpeg | Self::Png | Self::WebP | Self::Gif => Family::Picture,
            Self::Mp4 | Self::QuickTime | Self::WebM => Family::Video,
            Self::Mp3 | Self::M4a | Self::Ogg | Self::Wav | Self::Flac => Family::Audio,
            Self::Pdf => Family::Document,
        }
    }
}

/// EBML whose document type is `webm`; Matroska at large is not played by browsers.
fn is_webm(head: &[u8]) -> bool {
    let header = &head[..head.len().min(64)];
    header.starts_with(b"\x1a\x45\xdf\xa3")
        && header.windows(7).any(|bytes| bytes == b"\x42\x82\x84webm")
}

/// At the very beginning: readers forgive what stands before, and so do polyglots.
fn is_pdf(head: &[u8]) -> bool {
    let version = head.strip_prefix(b"%PDF-").and_then(<[u8]>::first);
    version.is_some_and(u8::is_ascii_digit)
}

/// A tag, or two frames of which the second stands where the first ends: eleven bits alone are found in
/// much that is no sound.
fn is_mp3(head: &[u8]) -> bool {
    let is_tagged =
        head.starts_with(b"ID3") && head.get(3).is_some_and(|version| (2..=4).contains(version));
    let next = mp3_frame_bytes(head).and_then(|bytes| head.get(bytes..));
    is_tagged || next.and_then(mp3_frame_bytes).is_some()
}

/// Length of the frame of layer III that starts here.
fn mp3_frame_bytes(head: &[u8]) -> Option<usize> {
    const KBITS: [[usize; 16]; 2] = [
        [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0],
        [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0],
    ];
    const HERTZ: [usize; 3] = [44_100, 48_000, 32_000];

    let &[0xff, version, rates, _, ..] = head else { return None };
    // Synchronisation, version, layer (01: III), and whether there is a checksum.
    let (kbits, factor, slower) = match version & 0b1111_1110 {
        0b1111_1010 => (KBITS[0], 144, 1),
        0b1111_0010 => (KBITS[1], 72, 2),
        0b1110_0010 => (KBITS[1], 72, 4),
        _ => return None,
    };
    let kbits = kbits[usize::from(rates >> 4)];
    let hertz = HERTZ.get(usize::from((rates >> 2) & 0b11))? / slower;
    let padding = usize::from((rates >> 1) & 1);
    (kbits > 0).then_some(factor * 1_000 * kbits / hertz + padding)
}

/// The family of MPEG-4, by the box that stands first.
fn by_brand(head: &[u8]) -> Option<Kind> {
    let (size, _) = head.split_first_chunk()?;
    let first = head.get(..u32::from_be_bytes(*size) as usize)?;
    let brand = first.get(4..12)?.strip_prefix(b"ftyp")?;
    match brand {
        b"qt  " => Some(Kind::QuickTime),
        b"M4A " | b"M4B " => Some(Kind::M4a),
        other => MP4_BRANDS.contains(&other).then_some(Kind::Mp4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ftyp(brand: [u8; 4]) -> Vec<u8> {
        [b"\0\0\0\x18ftyp".as_slice(), &brand, b"\0\0\x02\0isommp42\0\0\0\x08free"].concat()
    }

    /// Two silent frames of 128 kbit/s at 44,100 Hz.
    fn mp3() -> Vec<u8> {
        let mut frame = vec![0; 417];
        frame[..4].copy_from_slice(b"\xff\xfb\x90\x00");
        frame.repeat(2)
    }

    #[test]
    fn a_file_is_what_it_begins_as() {
        let webm = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm\x42\x87\x81\x04";
        for (head, kind) in [
            (b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec(), Kind::Jpeg),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), Kind::Png),
            (b"GIF89a/*\x01\0".to_vec(), Kind::Gif),
            (b"RIFF\x24\0\0\0WEBPVP8L".to_vec(), Kind::WebP),
            (b"RIFF\x24\0\0\0WAVEfmt ".to_vec(), Kind::Wav),
            (b"OggS\0\x02".to_vec(), Kind::Ogg),
            (b"fLaC\0\0\0\x22".to_vec(), Kind::Flac),
            (b"ID3\x04\0\0\0\0\0\0".to_vec(), Kind::Mp3),
            (mp3(), Kind::Mp3),
            (webm.to_vec(), Kind::WebM),
            (ftyp(*b"isom"), Kind::Mp4),
            (ftyp(*b"3gp4"), Kind::Mp4),
            (ftyp(*b"qt  "), Kind::QuickTime),
            (ftyp(*b"M4A "), Kind::M4a),
            (b"%PDF-1.7\n".to_vec(), Kind::Pdf),
        ] {
            assert_eq!(Kind::of(&head), Some(kind), "{}", head.escape_ascii());
        }
    }

    #[test]
    fn what_a_browser_might_run_has_no_kind() {
        let bare_mp3_frame = &mp3()[..417];
        for head in [
            b"".as_slice(),
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>",
            b"<?xml version=\"1.0\"?><svg/>",
            b"<!DOCTYPE html><script>alert(1)</script>",
            b"\n<html>%PDF-1.7",
            b"PK\x03\x04\x14\0",
            b"\x7fELF\x02\x01\x01",
            b"MZ\x90\0",
            b"#!/bin/sh\n",
            b"\xff\xfe<\0h\0t\0m\0l\0",
            b"%PDF-",
            b"RIFF\x24\0\0\0",
            b"GIF90a",
            b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska",
            b"\0\0\0\x18ftyp",
            b"\xff\xff\xff\xffftypisom\0\0\x02\0",
            bare_mp3_frame,
            &ftyp(*b"avif"),
            &ftyp(*b"heic"),
            &ftyp(*b"mif1"),
            &ftyp(*b"crx "),
        ] {
            assert_eq!(Kind::of(head), None, "{}", head.escape_ascii());
        }
    }

    #[test]
    fn a_type_names_its_family() {
        for kind in [Kind::Gif, Kind::QuickTime, Kind::M4a, Kind::Pdf] {
            let family = match kind.family() {
                Family::Picture => "image/",
                Family::Video => "video/",
                Family::Audio => "audio/",
                Family::Document => "application/",
            };
            assert!(kind.media_type().starts_with(family), "{kind:?}");
        }
    }
}
