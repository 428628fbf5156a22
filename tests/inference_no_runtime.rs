//! A file that is no ONNX Runtime gives an error where `ort` by itself panics, and a later, right path still
//! works. A process of its own, because the library is loaded once per process.

use ibkr_trader::inference::{Runtime, RuntimeSearch};

#[test]
fn a_library_that_is_none_is_an_error_and_does_not_spoil_the_next_try() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join(".runtime")).unwrap();
    std::fs::write(dir.path().join(".runtime/libonnxruntime.so.1.31.1"), b"not a library").unwrap();
    let search = RuntimeSearch { explicit: None, executable: None, working_dir: Some(dir.path().into()) };
    let message = Runtime::load_from(&search).unwrap_err().to_string();
    assert!(message.contains("can't be used") && message.contains("fetch_runtime.py"), "{message}");

    // A shared library, but another one.
    let explicit = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"]
        .into_iter()
        .find(|path| std::path::Path::new(path).is_file());
    if let Some(explicit) = explicit {
        let search = RuntimeSearch { explicit: Some(explicit.into()), executable: None, working_dir: None };
        let message = Runtime::load_from(&search).unwrap_err().to_string();
        assert!(message.contains("OrtGetApiBase"), "{message}");
    }

    match RuntimeSearch::of_process().locate() {
        Ok(path) => assert_eq!(Runtime::load().unwrap().path(), path),
        Err(e) => eprintln!("skipped the right path: {e}"),
    }
}
