//! The registry refuses what it can't trust, and every refusal names the model and the fix.

mod inference_support;

use ibkr_trader::clock::{SessionTime, VirtualClock};
use ibkr_trader::domain::{Family, Horizon};
use ibkr_trader::inference::{Evaluator, Registry, SchemaRef, verify};
use ibkr_trader::message::ScoreScale;
use inference_support::{SCHEMA, Zoo, fixtures, runtime};
use serde_json::json;

/// Damages a copy of the zoo, loads it, and expects each of the words in the one sentence that comes back.
#[track_caller]
fn refused(words: &[&str], damage: impl FnOnce(&mut Zoo)) {
    let Some(runtime) = runtime() else { return };
    let mut zoo = Zoo::copy();
    damage(&mut zoo);
    let message = zoo.error(&runtime);
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    assert!(!message.contains('\n'), "one sentence: {message:?}");
}

#[test]
fn the_good_zoo_loads_with_its_calibration_and_ranges() {
    let Some(runtime) = runtime() else { return };
    let registry = Registry::load(&fixtures().join("good"), &SCHEMA, &runtime).unwrap();
    assert_eq!((registry.zoo(), registry.columns(), registry.models().len()), ("fixtures", 4, 2));
    let calibration = registry.calibration();
    for (found, expected) in calibration.slope.into_iter().zip([0.1, 0.2, 0.3, 0.4, 0.5]) {
        assert!((found - expected).abs() < 1e-7, "{found} against {expected}");
    }
    let m5_only = [Some(ScoreScale { mean: 0.25, std: 0.5 }), None, None, None, None];
    assert_eq!(calibration.scales[Family::LightGbm.index()], m5_only);
    let mlp = calibration.scales[Family::Mlp.index()];
    assert_eq!(mlp[Horizon::M60.index()], Some(ScoreScale { mean: 0.25, std: 1.0 }));
    assert_eq!(calibration.scales.iter().flatten().flatten().count(), 6);
    assert!(registry.quarantined().is_empty());
    let evaluators: Vec<_> = registry.models().iter().map(|m| m.evaluator()).collect();
    assert_eq!(evaluators, [Evaluator::OnnxRuntime, Evaluator::Trees]);
    assert_eq!(registry.ranges().iter().map(|r| r.column).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(registry.models().iter().all(|m| m.golden_max_diff < 1e-6));
    assert_eq!(runtime.version(), "1.31.1");
}

#[test]
fn damaged_files() {
    refused(&["model linear (linear.onnx)", "SHA-256", "version control"], |zoo| {
        let bytes = std::fs::read(zoo.file("linear.onnx")).unwrap();
        std::fs::write(zoo.file("linear.onnx"), &bytes[..bytes.len() / 2]).unwrap();
    });
    refused(&["model tree_m5 (tree_m5.onnx)", "SHA-256"], |zoo| {
        let mut bytes = std::fs::read(zoo.file("tree_m5.onnx")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(zoo.file("tree_m5.onnx"), bytes).unwrap();
    });
    refused(&["model linear", "can't be read"], |zoo| std::fs::remove_file(zoo.file("linear.onnx")).unwrap());
}

#[test]
fn damaged_files_with_a_manifest_that_vouches_for_them() {
    refused(&["model linear", "ONNX Runtime can't load it"], |zoo| {
        let bytes = std::fs::read(zoo.file("linear.onnx")).unwrap();
        zoo.put("linear.onnx", 0, &bytes[..bytes.len() / 2]);
    });
    refused(&["model linear", "ONNX Runtime can't load it"], |zoo| zoo.put("linear.onnx", 0, b""));
    refused(&["model linear", "ONNX Runtime can't load it"], |zoo| zoo.put("linear.onnx", 0, &[0xA5; 300]));
    // One weight changed: it loads, and only the golden vector sees it.
    refused(&["model linear", "golden row 0", "score:5"], |zoo| {
        let mut bytes = std::fs::read(zoo.file("linear.onnx")).unwrap();
        let weight = 0.5_f32.to_le_bytes();
        let at = bytes.windows(4).position(|w| w == weight).unwrap();
        bytes[at..at + 4].copy_from_slice(&0.75_f32.to_le_bytes());
        zoo.put("linear.onnx", 0, &bytes);
    });
}

#[test]
fn ends_that_do_not_fit_the_manifest() {
    refused(&["model linear", "input is", "[n, 3]"], |zoo| zoo.swap_linear("wide.onnx"));
    refused(&["model linear", "output is", "[n, 5]"], |zoo| zoo.swap_linear("narrow_output.onnx"));
    refused(&["model linear", "\"features\"", "\"x\""], |zoo| zoo.swap_linear("other_names.onnx"));
    refused(&["model linear", "input is", "free n"], |zoo| zoo.swap_linear("fixed_batch.onnx"));
    refused(&["model linear", "output is", "float32"], |zoo| zoo.swap_linear("double.onnx"));
    refused(&["model linear", "2 inputs and 1 outputs"], |zoo| zoo.swap_linear("two_inputs.onnx"));
    // NaN from finite golden inputs: the logarithm of a negative number.
    refused(&["model linear", "golden row 0 gives NaN"], |zoo| {
        zoo.swap_linear("log.onnx");
        for rows in ["x", "y"] {
            zoo.model(0)["golden"][rows][0] = zoo.model(0)["golden"][rows][1].clone();
        }
    });
    refused(&["model linear", "operator sets ai.onnx 17, ai.onnx.ml 3", "says ai.onnx 16"], |zoo| {
        zoo.model(0)["opset"] = json!({"": 16});
    });
    refused(&["model linear", "opset ai.onnx 18", "up to 17"], |zoo| zoo.model(0)["opset"] = json!({"": 18}));
    refused(&["model linear", "opset none"], |zoo| zoo.model(0)["opset"] = json!({}));
}

#[test]
fn another_schema() {
    refused(&["zoo fixtures", "v1 ffff", "v1 0123abcd", "hashes differ"], |zoo| {
        zoo.manifest["feature_schema"]["hash"] = json!("ffff");
    });
    refused(&["versions differ"], |zoo| zoo.manifest["feature_schema"]["version"] = json!(2));
    refused(&["column 1 is \"vol_30\" against \"ret_5\""], |zoo| {
        zoo.manifest["feature_schema"]["columns"].as_array_mut().unwrap().swap(1, 2);
    });
    refused(&["3 columns against 4"], |zoo| {
        zoo.manifest["feature_schema"]["columns"].as_array_mut().unwrap().pop();
    });
}

#[test]
fn a_manifest_that_contradicts_itself() {
    refused(&["format 1 is unknown", "format 2"], |zoo| zoo.manifest["format"] = json!(1));
    refused(&["format none is unknown"], |zoo| zoo.manifest["format"] = json!("two"));
    refused(&["1 to 160"], |zoo| zoo.manifest["models"] = json!([]));
    refused(&["two models are called tree_m5"], |zoo| zoo.model(0)["name"] = json!("tree_m5"));
    refused(&["model tree_m5", "second mlp for 5 minutes"], |zoo| zoo.model(1)["family"] = json!("mlp"));
    refused(&["not a manifest", "unknown variant"], |zoo| zoo.model(1)["family"] = json!("oracle"));
    refused(&["model tree_m5", "\"score:7\" is none that"], |zoo| zoo.model(1)["columns"] = json!(["score:7"]));
    refused(&["model tree_m5", "\"score:05\" is none that"], |zoo| zoo.model(1)["columns"] = json!(["score:05"]));
    refused(&["model tree_m5", "no inputs or no columns"], |zoo| zoo.model(1)["columns"] = json!([]));
    refused(&["model linear", "a column stands twice"], |zoo| zoo.model(0)["columns"][1] = json!("score:5"));
    refused(&["model tree_m5", "must have a score: column"], |zoo| {
        zoo.model(1)["columns"] = json!(["realism"]);
        (zoo.model(1)["score_mean"], zoo.model(1)["score_std"]) = (json!([]), json!([]));
    });
    refused(&["model tree_m5", "a forecast without a family"], |zoo| {
        zoo.model(1).as_object_mut().unwrap().remove("family");
        zoo.manifest["shed_order"] = json!(["mlp"]);
    });
    refused(&["model tree_m5", "a barrier model has no family"], |zoo| zoo.model(1)["kind"] = json!("barrier"));
    refused(&["shed_order names gan"], |zoo| zoo.manifest["shed_order"] = json!(["gan"]));
    refused(&["shed_order names mlp twice"], |zoo| zoo.manifest["shed_order"] = json!(["mlp", "mlp"]));
    refused(&["quorum of an unknown horizon \"7\""], |zoo| zoo.manifest["quorum"]["7"] = json!(1));
    refused(&["the quorum of 5 minutes is 17"], |zoo| zoo.manifest["quorum"]["5"] = json!(17));
    refused(&["the quorum of 60 minutes is 0"], |zoo| {
        zoo.manifest["quorum"].as_object_mut().unwrap().remove("60");
    });
    refused(&["not a manifest", "missing field `quorum`"], |zoo| {
        zoo.manifest.as_object_mut().unwrap().remove("quorum");
    });
    refused(&["model linear", "score_std", "5 values"], |zoo| zoo.model(0)["score_std"] = json!([1.0]));
    refused(&["model tree_m5", "score_std is not positive"], |zoo| zoo.model(1)["score_std"] = json!([0.0]));
    refused(&["model linear predicts 30 minutes, which has no calibration"], |zoo| {
        zoo.manifest["calibration"].as_object_mut().unwrap().remove("30");
    });
    refused(&["model tree_m5", "input \"vol_31\" is no feature of schema v1"], |zoo| {
        zoo.model(1)["inputs"][0] = json!("vol_31");
    });
    refused(&["model tree_m5", "plain file name"], |zoo| zoo.model(1)["file"] = json!("../tree_m5.onnx"));
    refused(&["feature_ranges of \"ret_1\"", "not a range"], |zoo| {
        zoo.manifest["feature_ranges"]["ret_1"] = json!([1.0, -1.0]);
    });
    refused(&["feature_ranges of \"ret_2\"", "no feature"], |zoo| {
        zoo.manifest["feature_ranges"]["ret_2"] = json!([-1.0, 1.0]);
    });
}

#[test]
fn a_golden_vector_that_says_something_else() {
    refused(&["model tree_m5", "0 rows of x and 8 of y", "8 or more"], |zoo| zoo.model(1)["golden"]["x"] = json!([]));
    refused(&["model tree_m5", "rows of another width"], |zoo| zoo.model(1)["golden"]["x"][2] = json!([1.0]));
    refused(&["model tree_m5", "golden row 1", "training saw 9"], |zoo| {
        zoo.model(1)["golden"]["y"][1] = json!([9.0]);
    });
    refused(&["model tree_m5", "7 rows of x and 7 of y"], |zoo| {
        for rows in ["x", "y"] {
            zoo.model(1)["golden"][rows].as_array_mut().unwrap().pop();
        }
    });
    refused(&["not a manifest", "number out of range"], |zoo| zoo.model(1)["golden"]["y"][1] = json!([1e39]));
    refused(&["not a manifest", "invalid type: null"], |zoo| zoo.model(1)["golden"]["y"][1] = json!([null]));
    // The two inputs swapped: same shape, other features.
    refused(&["model tree_m5", "golden row"], |zoo| {
        for row in zoo.model(1)["golden"]["x"].as_array_mut().unwrap() {
            row.as_array_mut().unwrap().reverse();
        }
    });
}

#[test]
fn no_manifest_at_all() {
    let Some(runtime) = runtime() else { return };
    let empty = tempfile::tempdir().unwrap();
    let message = Registry::load(empty.path(), &SCHEMA, &runtime).unwrap_err().to_string();
    assert!(message.contains("manifest.json") && message.contains("session.models_folder"), "{message}");
}

#[test]
fn scores_as_inputs() {
    let rich = |words: &[&str], damage: &dyn Fn(&mut Zoo)| {
        let Some(runtime) = runtime() else { return };
        let mut zoo = Zoo::rich();
        damage(&mut zoo);
        let message = zoo.error(&runtime);
        assert!(words.iter().all(|w| message.contains(w)), "{message:?}");
    };
    rich(&[], &|_| ());
    rich(&["model stack_m5", "\"z:mlp:7\" is no feature"], &|z| z.model(0)["inputs"][1] = json!("z:mlp:7"));
    rich(&["model stack_m5", "\"z:oracle:5\" is no feature"], &|z| z.model(0)["inputs"][1] = json!("z:oracle:5"));
    rich(&["model stack_m5", "\"z:light_gbm:30\" is a score that no model"], &|z| {
        z.model(0)["inputs"][0] = json!("z:light_gbm:30");
    });
    rich(&["z: inputs of ensemble form a circle"], &|z| z.model(0)["inputs"][1] = json!("z:ensemble:5"));
    rich(&["z: inputs of ensemble, light_gbm form a circle"], &|z| z.model(2)["inputs"][0] = json!("z:ensemble:5"));
    rich(&["model gan is the second that gives anomaly"], &|z| z.model(5)["columns"][5] = json!("anomaly"));
    rich(&["model barriers", "\"p:will_fly\" is none that"], &|z| z.model(7)["columns"][0] = json!("p:will_fly"));
    rich(&["model barriers", "p: columns only"], &|z| z.model(7)["columns"][0] = json!("realism"));
    rich(&["model ftrl", "state can't be read"], &|z| z.model(6)["state"] = json!({"kind": "ftrl_proximal"}));
    rich(&["model ftrl", "another shape"], &|z| z.model(6)["state"]["mean"] = json!([0.0]));
    rich(&["model ftrl", "golden row 0"], &|z| z.model(6)["state"]["z"][0][0] = json!(40.0));
    rich(&["model vae", "only ftrl_proximal has a state"], &|z| {
        z.model(4)["state"] = z.model(6)["state"].clone();
    });
}

#[test]
fn a_bad_model_is_quarantined_by_name_and_the_others_stay() {
    let Some(runtime) = runtime() else { return };
    let mut zoo = Zoo::rich();
    zoo.put("vae.onnx", 4, b"garbage");
    zoo.model(3)["sha256"] = json!("00");
    let registry = zoo.load(&runtime).unwrap();
    let names: Vec<&str> = registry.quarantined().iter().map(|q| q.name.as_str()).collect();
    assert_eq!(names, ["quantile_m5", "vae"]);
    let order: Vec<&str> = registry.models().iter().map(|m| m.name.as_str()).collect();
    assert_eq!(
        order,
        ["linear", "tree_m5", "stack_m5", "gan", "ftrl", "barriers"],
        "the stacker follows what it reads"
    );
}

#[test]
fn verify_reports_every_model_instead_of_the_first() {
    let Some(runtime) = runtime() else { return };
    let clock = VirtualClock::at(SessionTime(0));
    let report = verify(&fixtures().join("rich"), &SCHEMA, &clock).unwrap();
    assert!(report.is_good(), "{report}");

    let mut zoo = Zoo::copy();
    zoo.swap_linear("other_names.onnx");
    zoo.model(1)["sha256"] = json!("00");
    assert_eq!(zoo.load(&runtime).unwrap().quarantined().len(), 2);
    let other = SchemaRef { version: 2, ..SCHEMA };
    let report = verify(zoo.path(), &other, &clock).unwrap();
    assert!(!report.is_good());
    assert_eq!(report.problems.len(), 1);
    assert!(report.models.iter().all(|m| m.outcome.is_err()));
    let text = report.to_string();
    assert!(
        text.contains("QUARANTINED  linear") && text.contains("QUARANTINED  tree_m5") && text.contains("2 quarantined"),
        "{text}"
    );
}
