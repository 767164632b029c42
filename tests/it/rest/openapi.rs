//! The document of the interface, and the page that shows it.

use serde_json::Value;

use crate::support::{Call, World};

#[test]
fn the_document_is_served_and_not_sent_twice() {
    let world = World::new();
    let first = world.get("/v1/openapi.json").expect(200);
    let written = include_str!("../../../docs/api/openapi.json");
    assert_eq!(first.json(), serde_json::from_str::<Value>(written).expect("JSON"));
    assert_eq!(first.headers["content-type"], "application/json");
    assert_eq!(first.headers["cache-control"], "no-cache", "it is asked for anew");
    let tag = &first.headers["etag"];
    let again = Call::new("GET", "/v1/openapi.json").header("if-none-match", tag);
    let again = world.call(again).expect(304);
    assert_eq!((&again.headers["etag"], again.body.as_str()), (tag, ""));
}

#[test]
fn the_page_about_the_interface_can_be_left_out() {
    let world = World::with_setting("BARTERLINE_SERVER__DOCS", "false");
    for path in ["/docs", "/docs/", "/docs/swagger-ui.css"] {
        world.get(path).problem(404, "route.not_found");
    }
    world.get("/v1/openapi.json").expect(200);
}

#[test]
fn the_page_about_the_interface_loads_only_from_here() {
    let world = World::new();
    assert_eq!(world.get("/docs").expect(307).headers["location"], "docs/");
    let page = world.get("/docs/").expect(200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let policy = &page.headers["content-security-policy"];
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.body.contains("://"), "{}", page.body);
    let named =
        page.body.split(['"']).filter(|part| part.starts_with("./") || part.contains(".css"));
    let mut files = 0;
    for name in named {
        let file = world.get(&format!("/docs/{}", name.trim_start_matches("./"))).expect(200);
        assert!(file.headers.contains_key("etag"), "{name}");
        let content_type = &file.headers["content-type"];
        let is_image = content_type == "image/png";
        assert!(is_image || content_type.ends_with("; charset=utf-8"), "{name}: {content_type}");
        assert_eq!(&file.headers["content-security-policy"], policy, "{name}");
        files += 1;
    }
    assert!(files >= 6, "the page has scripts, styles and icons, not {files} files");
    let settings = world.get("/docs/swagger-initializer.js").expect(200).body;
    assert!(settings.contains("\"../v1/openapi.json\""), "{settings}");
    assert!(settings.contains("\"validatorUrl\": \"none\""), "nobody else is asked: {settings}");
    world.get("/docs/swagger-ui-es-bundle.js").problem(404, "route.not_found");
    world.call(Call::new("POST", "/docs/")).problem(405, "route.method_not_allowed");
    let plain = world.get("/v1/openapi.json").expect(200);
    assert_eq!(
        plain.headers["content-security-policy"],
        "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
        "the page alone may do more"
    );
}

#[test]
fn the_socket_has_one_method() {
    let world = World::new();
    world.call(Call::new("POST", "/v1/socket")).problem(405, "route.method_not_allowed");
}
