//! The built component: what it exports, that it imports nothing, that its digest is its own.

use cedargate_component::{COMPONENT, DIGEST};
use sha2::{Digest as _, Sha256};
use wit_component::DecodedWasm;
use wit_parser::WorldItem;

fn world() -> (Vec<String>, Vec<String>) {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(COMPONENT).unwrap() else {
        panic!("not a component");
    };
    let world = &resolve.worlds[world];
    let names = |items: &wit_parser::IndexMap<wit_parser::WorldKey, WorldItem>| {
        items.keys().map(|key| resolve.name_world_key(key)).collect()
    };
    (names(&world.imports), names(&world.exports))
}

#[test]
fn it_imports_nothing() {
    let (imports, _) = world();
    assert_eq!(imports, [""; 0], "a clock, a file or a socket within reach of a policy");
}

#[test]
fn it_exports_the_contract_and_nothing_else() {
    let (_, exports) = world();
    assert_eq!(exports, [format!("cedargate:authz/authz@{}", cedargate_guest::CONTRACT)]);
}

#[test]
fn its_digest_is_that_of_its_bytes() {
    let hex: String = Sha256::digest(COMPONENT).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(DIGEST, format!("sha256:{hex}"));
}

#[test]
fn it_names_no_path_of_the_machine_that_built_it() {
    for path in [env!("CARGO_MANIFEST_DIR"), "/home/", "/root/", "/Users/"] {
        let found = COMPONENT.windows(path.len()).any(|window| window == path.as_bytes());
        assert!(!found, "the component holds `{path}`");
    }
}
