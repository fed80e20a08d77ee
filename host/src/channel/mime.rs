//! Kinds of files and the ends of their names: one table, read both ways.

/// The first end of a type is the one that a name is given. Ends are in small letters.
const TYPES: &[(&str, &str)] = &[
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("heic", "image/heic"),
    ("svg", "image/svg+xml"),
    ("mp4", "video/mp4"),
    ("m4v", "video/mp4"),
    ("webm", "video/webm"),
    ("mov", "video/quicktime"),
    ("3gp", "video/3gpp"),
    ("mkv", "video/x-matroska"),
    ("avi", "video/x-msvideo"),
    ("ogg", "audio/ogg; codecs=opus"),
    ("oga", "audio/ogg; codecs=opus"),
    ("opus", "audio/ogg; codecs=opus"),
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("aac", "audio/aac"),
    ("amr", "audio/amr"),
    ("wav", "audio/wav"),
    ("flac", "audio/flac"),
    ("pdf", "application/pdf"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("csv", "text/csv"),
    ("txt", "text/plain"),
    ("html", "text/html"),
    ("json", "application/json"),
    ("vcf", "text/vcard"),
    ("zip", "application/zip"),
];

/// By the end of a file's name.
pub fn of_name(name: &str) -> Option<&'static str> {
    let (_, end) = name.rsplit_once('.')?;
    let end = end.to_ascii_lowercase();
    TYPES.iter().find(|(known, _)| *known == end).map(|(_, mime_type)| *mime_type)
}

/// By the end of an address's path.
pub fn of_address(url: &str) -> Option<&'static str> {
    of_name(url.split(['?', '#']).next()?.rsplit('/').next()?)
}

/// `pdf`; a type is the same with other parameters.
pub fn end_of(mime_type: &str) -> Option<&'static str> {
    let wanted = essence(mime_type);
    TYPES.iter().find(|(_, known)| essence(known).eq_ignore_ascii_case(wanted)).map(|(end, _)| *end)
}

/// Without parameters.
pub fn essence(mime_type: &str) -> &str {
    mime_type.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_the_ends_of_names_and_back() {
        for (address, expected) in [
            ("https://example.com/a.PNG?size=2", Some("image/png")),
            ("https://example.com/tour.webm", Some("video/webm")),
            ("https://example.com/tour", None),
            ("https://example.com/a.b/tour", None),
            ("https://example.com/tour.xyz#a.png", None),
        ] {
            assert_eq!(of_address(address), expected, "{address}");
        }
        for (mime_type, expected) in [
            ("application/pdf", Some("pdf")),
            ("IMAGE/JPEG; q=1", Some("jpg")),
            ("audio/ogg", Some("ogg")),
            ("application/octet-stream", None),
            ("", None),
        ] {
            assert_eq!(end_of(mime_type), expected, "{mime_type}");
        }
    }
}
