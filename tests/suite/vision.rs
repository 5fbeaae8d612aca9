//! Non-maximum suppression against torchvision's answers (`tests/golden/vision.py`), and what it has none for.

use convgpu::vision::{batched_nms, box_iou, nms};
use convgpu::{ErrorKind, Tensor};

use crate::support::{Case, golden};

fn kept(case: &Case) -> Vec<usize> {
    let (boxes, scores) = (case.tensor("boxes"), case.tensor("scores"));
    let threshold = case.params["iou_threshold"].as_f64().unwrap();
    match case.op.as_str() {
        "nms" => nms(boxes, scores, threshold).unwrap(),
        _ => batched_nms(boxes, scores, case.tensor("classes"), threshold).unwrap(),
    }
}

#[test]
fn torchvision_keeps_the_same_boxes() {
    let cases = golden("vision");
    let (of_iou, of_nms): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.op == "box_iou");
    assert_eq!([of_iou.len(), of_nms.len()], [4, 88]);
    for case in of_iou {
        let iou = box_iou(case.tensor("a"), case.tensor("b")).unwrap();
        assert_eq!(&iou, case.tensor("out"), "{case}");
    }
    for case in of_nms {
        let wanted: Vec<usize> = case.indices("out").to_i64s().unwrap().into_iter().map(|i| i as usize).collect();
        assert_eq!(kept(case), wanted, "{case}");
    }
}

/// The highest scores first, NaN before all, and of equal ones the lower index, where nothing overlaps.
#[test]
fn the_order_is_that_of_the_scores() {
    let boxes =
        Tensor::new([6, 4], (0..6u8).flat_map(|i| [i, 0, i + 1, 1].map(f32::from)).collect::<Vec<_>>()).unwrap();
    let scores = Tensor::from([0.0f32, f32::NAN, 2.0, -0.0, f32::NEG_INFINITY, 2.0]);
    let order = [1, 2, 5, 0, 3, 4];
    assert_eq!(nms(&boxes, &scores, 0.5).unwrap(), order);
    assert_eq!(batched_nms(&boxes, &scores, &Tensor::from([1i64, 2, 1, 2, 1, 2]), 0.5).unwrap(), order);
}

/// A box that was suppressed suppresses none, and a threshold is exceeded, not reached.
#[test]
fn only_boxes_that_stay_suppress() {
    let boxes = Tensor::from([[0.0f32, 0.0, 3.0, 1.0], [1.0, 0.0, 4.0, 1.0], [2.0, 0.0, 5.0, 1.0]]);
    let scores = Tensor::from([3.0f32, 2.0, 1.0]);
    // Neighbours share two of four parts.
    assert_eq!(nms(&boxes, &scores, 0.499).unwrap(), [0, 2]);
    assert_eq!(nms(&boxes, &scores, 0.5).unwrap(), [0, 1, 2]);
    assert_eq!(nms(&boxes, &scores, 0.0).unwrap(), [0]);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (boxes, scores) = (Tensor::zeros([3, 4]), Tensor::zeros([3]));
    let kind = |e: Result<Vec<usize>, convgpu::Error>| e.unwrap_err().kind();
    assert_eq!(kind(nms(&Tensor::zeros([3, 5]), &scores, 0.5)), ErrorKind::Shape);
    assert_eq!(kind(nms(&boxes, &Tensor::zeros([2]), 0.5)), ErrorKind::Shape);
    assert_eq!(kind(nms(&boxes, &Tensor::zeros([3, 1]), 0.5)), ErrorKind::Shape);
    assert_eq!(kind(nms(&boxes, &scores, f64::NAN)), ErrorKind::Argument);
    assert!(nms(&Tensor::full([3, 4], 1i64), &scores, 0.5).is_err());
    assert_eq!(kind(batched_nms(&boxes, &scores, &Tensor::from([1i64, 2]), 0.5)), ErrorKind::Shape);
    assert!(batched_nms(&boxes, &scores, &scores, 0.5).is_err(), "classes are integers");
    assert!(box_iou(&boxes, &scores).is_err());
}
