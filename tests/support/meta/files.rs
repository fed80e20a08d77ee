//! Files: handed over by multipart, asked for by id, fetched from an address that wants the token too.

use futures::FutureExt as _;
use serde_json::json;

use super::{Meta, missing, parameter};
use crate::peer::{Call, Reply};

#[derive(Debug)]
pub struct File {
    pub mime_type: String,
    pub bytes: Vec<u8>,
}

pub fn upload(meta: &mut Meta, call: &Call) -> Result<Reply, Reply> {
    let content_type = call.header("content-type").unwrap_or_default();
    let boundary = multer::parse_boundary(content_type)
        .map_err(|error| parameter(format!("The body is no form: {error}")))?;
    let body = call.body.clone();
    let chunks = futures::stream::once(async move { Ok::<_, std::io::Error>(body) });
    let parts = async {
        let mut form = multer::Multipart::new(chunks, boundary);
        let mut parts = Vec::new();
        while let Some(field) = form.next_field().await? {
            let name = field.name().unwrap_or_default().to_owned();
            let mime_type = field.content_type().map(ToString::to_string);
            parts.push((name, mime_type, field.bytes().await?));
        }
        Ok::<_, multer::Error>(parts)
    };
    let parts = parts.now_or_never().expect("all of the body is there");
    let parts = parts.map_err(|error| parameter(format!("The body is no form: {error}")))?;
    let field = |wanted: &str| parts.iter().find(|(name, ..)| name == wanted);
    if field("messaging_product").is_none_or(|(_, _, value)| value.as_ref() != b"whatsapp") {
        return Err(parameter("The parameter messaging_product is required.".into()));
    }
    let Some((_, mime_type, bytes)) = field("file").filter(|(_, _, bytes)| !bytes.is_empty()) else {
        return Err(parameter("The parameter file is required.".into()));
    };
    let told = field("type").map(|(_, _, value)| String::from_utf8_lossy(value.as_ref()).into_owned());
    let Some(mime_type) = told.or_else(|| mime_type.clone()).filter(|it| it.contains('/')) else {
        return Err(parameter("Param file must be a file with a valid MIME type.".into()));
    };
    if let Some((name, ..)) =
        parts.iter().find(|(name, ..)| !["messaging_product", "type", "file"].contains(&name.as_str()))
    {
        return Err(parameter(format!("Unexpected key \"{name}\".")));
    }
    let id = meta.received(&mime_type, bytes);
    Ok(Reply::json(200, &json!({ "id": id })))
}

/// The address is good for five minutes at Meta.
pub fn locate(meta: &Meta, id: &str, call: &Call) -> Result<Reply, Reply> {
    let file = meta.files.get(id).ok_or_else(|| missing(id))?;
    if let Some((_, number)) = call.query.iter().find(|(name, _)| name == "phone_number_id")
        && !meta.numbers.contains(number)
    {
        return Err(missing(id));
    }
    let body = json!({
        "messaging_product": "whatsapp",
        "url": format!("{}/whatsapp_business/attachments/{id}", meta.url),
        "mime_type": file.mime_type,
        "sha256": "fa9e1807d936b7cebe63654ea3a7912b1fa9479220258d823590521ef53b0710",
        "file_size": file.bytes.len(),
        "id": id,
    });
    Ok(Reply::json(200, &body))
}

pub fn bytes(meta: &Meta, id: &str) -> Result<Reply, Reply> {
    let file = meta.files.get(id).ok_or_else(|| missing(id))?;
    Ok(Reply::bytes(200, &file.mime_type, file.bytes.clone()))
}
