//! What Meta keeps for us: files and templates.

use switchboard::channel::media::{Fetch, Place};
use switchboard::message::TemplateParameter;
use switchboard::template::Status;

use super::*;

#[tokio::test]
async fn files_come_and_go() {
    let meta = meta::start().await;
    let sender = sender(&meta);
    let files = adapter_for_meta().media().unwrap();
    let received = meta.with(|meta| meta.received("image/jpeg", b"their picture"));
    let Ok(Fetch::Locate(request)) = files.fetch(&sender, &received) else { panic!("an id is located") };
    let located = make(request).await;
    let request = files.located(&sender, located.status, &located.body).unwrap();
    let file = make(request.clone()).await;
    assert_eq!((file.status, file.body.as_slice()), (200, b"their picture".as_slice()));
    let bare = make(Request { headers: Vec::new(), ..request }).await;
    assert_eq!(bare.status, 401, "the file wants the token too");
    let gone = make(match files.fetch(&sender, "77").unwrap() {
        Fetch::Locate(request) | Fetch::File(request) => request,
    })
    .await;
    assert!(matches!(
        files.located(&sender, gone.status, &gone.body),
        Err(Outcome::Failed { fate: Fate::Permanent, .. })
    ));

    let upload = files.upload(&sender, "image/png").unwrap();
    let part = reqwest::multipart::Part::bytes(b"our picture".as_slice()).file_name("a.png");
    let form = upload
        .fields
        .iter()
        .fold(reqwest::multipart::Form::new(), |form, (name, value)| form.text(name.clone(), value.clone()));
    let mut call = client().post(&upload.url).multipart(form.part(upload.file_field, part));
    for (name, value) in &upload.headers {
        call = call.header(name, value);
    }
    let response = call.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let id = files.uploaded(status, &headers, &response.bytes().await.unwrap()).unwrap();
    assert_eq!(meta.with(|meta| meta.file(&id)), Some(("image/png".into(), b"our picture".to_vec())));
    let content = OutboundContent::Media(OutboundMedia {
        kind: MediaKind::Image,
        source: "m-0123456789abcdef".into(),
        caption: None,
        filename: None,
    });
    let outbound = Outbound { content, reply_to: None };
    let uploaded =
        |id: String| Source { place: Place::Uploaded(id), mime_type: "image/png".into(), filename: None };
    let sent = send(&meta, PHONE, &outbound, None, Some(&uploaded(id))).await;
    assert!(matches!(sent, Outcome::Sent { .. }), "{sent:?}");
    let unknown = send(&meta, PHONE, &outbound, None, Some(&uploaded("77".into()))).await;
    assert!(matches!(unknown, Outcome::Failed { fate: Fate::Permanent, .. }), "{unknown:?}");
}

fn template(name: &str, language: &str) -> Template {
    serde_json::from_value(json!({
        "name": name, "language": language, "category": "utility",
        "body": "Hello {{customer}}, it is {{price}} now.",
        "buttons": [{ "type": "url", "text": "See", "url": "https://example.com/{{unit}}" }],
        "parameters": [
            { "name": "customer", "example": "Sara" },
            { "name": "price", "kind": "currency", "example": "EUR 12.50" },
            { "name": "unit", "kind": "url", "example": "17" },
        ],
    }))
    .unwrap()
}

#[tokio::test]
async fn templates_are_made_judged_sent_listed_and_deleted() {
    let meta = meta::start().await;
    let sender = sender(&meta);
    let api = adapter_for_meta().templates().unwrap();
    let (english, persian) = (template("viewing", "en"), template("viewing", "fa"));
    let mut ids = Vec::new();
    for template in [&english, &persian] {
        let answer = make(api.submit(&sender, template).unwrap()).await;
        let submitted = api.submitted(answer.status, &answer.headers, &answer.body).unwrap();
        assert_eq!(submitted.status, Status::Pending);
        ids.push(submitted.id.unwrap());
    }
    let again = make(api.submit(&sender, &english).unwrap()).await;
    assert!(api.submitted(again.status, &again.headers, &again.body).is_err(), "it is there already");
    let given = |name: &str, value: &str| TemplateParameter { name: name.into(), value: value.into() };
    let message = switchboard::message::Template {
        name: "viewing".into(),
        language: "en".into(),
        parameters: vec![given("customer", "Omid"), given("price", "AED 900"), given("unit", "18")],
    };
    let outbound = Outbound { content: OutboundContent::Template(message), reply_to: None };
    let early = send(&meta, PHONE, &outbound, Some(&english), None).await;
    assert!(matches!(early, Outcome::Failed { fate: Fate::Permanent, .. }), "not approved yet: {early:?}");
    meta.with(|meta| meta.judge("viewing", "APPROVED"));
    let sent = send(&meta, PHONE, &outbound, Some(&english), None).await;
    assert!(matches!(sent, Outcome::Sent { .. }), "{sent:?}: {:?}", meta.refused());

    let changed = make(api.update(&sender, &ids[0], &english).unwrap()).await;
    let changed = api.submitted(changed.status, &changed.headers, &changed.body).unwrap();
    assert_eq!(changed.status, Status::Pending);
    let answer = make(api.list(&sender, None).unwrap()).await;
    let page = api.listed(answer.status, &answer.headers, &answer.body).unwrap();
    let listed: Vec<_> = page.templates.iter().map(|it| (it.language.as_str(), it.status)).collect();
    assert_eq!(listed, [("en", Status::Pending), ("fa", Status::Approved)]);
    for gone in [false, true] {
        let answer = make(api.delete(&sender, Some(&ids[0]), &english).unwrap()).await;
        assert_eq!(answer.status, if gone { 404 } else { 200 });
        assert_eq!(api.deleted(answer.status, &answer.headers, &answer.body), Ok(()));
    }
    let answer = make(api.list(&sender, None).unwrap()).await;
    let page = api.listed(answer.status, &answer.headers, &answer.body).unwrap();
    assert_eq!(page.templates.len(), 1, "the other language stays");
}

#[tokio::test]
async fn pages_are_followed_to_their_end() {
    let meta = meta::start().await;
    let sender = sender(&meta);
    let api = adapter_for_meta().templates().unwrap();
    for number in 0..130 {
        let answer = make(api.submit(&sender, &template(&format!("t{number}"), "en")).unwrap()).await;
        assert_eq!(answer.status, 200);
    }
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let answer = make(api.list(&sender, after.as_deref()).unwrap()).await;
        let page = api.listed(answer.status, &answer.headers, &answer.body).unwrap();
        found.extend(page.templates);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), 130);
}
