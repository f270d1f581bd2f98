//! The cases beside the policies, decided natively and in the component. The command line replays them too: `kt`'s own tests.

use cedargate_guest::{LoadError, PolicySet, Principal, decide, load, text};
use cedargate_tests::corpus::{self, Case};
use cedargate_tests::plugin::{Compiled, Instance};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use wasmtime::component::ResourceAny;

/// One bundle in both forms.
struct Both {
    native: Rc<PolicySet>,
    instance: Instance,
    set: ResourceAny,
}

impl Both {
    fn load(compiled: &Compiled, bundle: &str) -> Self {
        let native = match load(bundle) {
            Ok(set) => Rc::new(set),
            Err(LoadError::Refused(report)) => panic!("{}", serde_json::to_string_pretty(&report).unwrap()),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(native.warnings().count, 0, "{:?}", native.warnings());
        let mut instance = compiled.instance().unwrap();
        let set = instance.loaded(bundle).unwrap();
        assert_eq!(instance.info(set).unwrap(), native.info());
        Self { native, instance, set }
    }

    fn natively(&self, case: &Case) -> Result<String, String> {
        let principal = Principal::prepare(Rc::clone(&self.native), case.principal.get());
        let principal = principal.map_err(|error| format!("not prepared: {error}"))?;
        let at = corpus::millis(&case.at);
        Ok(text(&self.native, at, &decide(&principal, at, case.request.get(), "")))
    }

    fn in_the_component(&mut self, case: &Case) -> Result<String, String> {
        let principal = self.instance.prepare(self.set, case.principal.get()).unwrap();
        let principal = principal.map_err(|error| format!("not prepared: {error:?}"))?;
        let text = self.instance.decide_text(principal, corpus::millis(&case.at), case.request.get(), "").unwrap();
        self.instance.drop(principal).unwrap();
        Ok(text)
    }

    fn mismatch(&mut self, case: &Case) -> Result<(), String> {
        let (native, component) = (self.natively(case)?, self.in_the_component(case)?);
        if native != component {
            return Err(format!("natively {native}, in the component {component}"));
        }
        let Some(expect) = &case.expect else { return Ok(()) };
        let came: Value = serde_json::from_str(&native).unwrap();
        let policies = expect.policies.as_ref().map(|ids| {
            let mut ids = ids.clone();
            ids.sort();
            Value::from(ids)
        });
        let same = came["decision"] == expect.decision.as_str()
            && expect.status.is_none_or(|status| came["status"] == status)
            && expect.code.as_deref().is_none_or(|code| came["code"] == code)
            && policies.is_none_or(|policies| came["policies"] == policies);
        if same { Ok(()) } else { Err(format!("expected {expect:?}, came {native}")) }
    }
}

fn run(compiled: &Compiled, files: &[PathBuf], overlay: Option<&Path>) {
    let mut both = Both::load(compiled, &corpus::bundle(overlay));
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in files {
        for case in corpus::cases(file) {
            count += 1;
            let mismatch = both.mismatch(&case).err();
            wrong.extend(mismatch.map(|why| format!("{}: {}: {why}", file.display(), case.id)));
        }
    }
    assert!(count > 0, "no case was read");
    assert!(wrong.is_empty(), "{} of {count} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_cases_hold_natively_and_in_the_component() {
    let compiled = Compiled::new().unwrap();
    run(&compiled, &corpus::case_files(), None);
    for entry in std::fs::read_dir(corpus::root().join("tests/bundles")).unwrap() {
        let folder = entry.unwrap().path();
        run(&compiled, &[folder.join("cases.jsonl")], Some(&folder));
    }
    run(&compiled, &[corpus::root().join("tests/records/day.jsonl")], None);
}
