use proptest::prelude::*;

use super::*;

fn seconds(seconds: u64) -> Nanos {
    Nanos(seconds * Nanos::PER_SECOND)
}

fn stages(all: &[&str]) -> Result<Course, Error> {
    Course::stages(all.iter().map(|stage| stage.parse().unwrap()).collect())
}

fn shape(text: &str) -> Course {
    Course::shape(&text.parse().unwrap(), 1.0, Path::new("")).unwrap()
}

fn values(curve: &Curve, at: &[f64]) -> Vec<f64> {
    at.iter().map(|at| (curve.at(*at) * 1e6).round() / 1e6).collect()
}

#[test]
fn stages_are_ramps_and_jumps() {
    let course = stages(&["10s:10/s", "5s:=30/s", "0s:20/s", "10s:0/s"]).unwrap();
    assert_eq!(course.own_length(), Some(seconds(25)));
    assert_eq!(course.text(), "stages 10s:10/s, 5s:=30/s, 0:20/s, 10s:0/s");
    let curve = course.curve(seconds(25), 1.0, None).unwrap();
    assert_eq!(values(&curve, &[0.0, 5.0, 10.0, 14.0, 15.0, 20.0]), [0.0, 5.0, 30.0, 30.0, 20.0, 10.0]);
    assert!((curve.total() - 300.0).abs() < 1e-9);
}

#[test]
fn stages_that_do_not_go_together() {
    let error = stages(&["10s:10/s", "10s:10"]).unwrap_err().to_string();
    assert!(error.contains("stage 10s:10/s is of sessions/s and stage 10s:10 of users"), "{error}");
    assert!(stages(&["0s:10/s"]).unwrap_err().to_string().contains("no time"));
}

#[test]
fn named_shapes() {
    let spike = shape("spike:10/s..200/s@30s+10s").curve(seconds(60), 1.0, None).unwrap();
    assert_eq!(values(&spike, &[0.0, 29.9, 30.0, 39.9, 40.0, 59.0]), [10.0, 10.0, 200.0, 200.0, 10.0, 10.0]);
    let late = shape("spike:1/s..2/s@30s+10s").curve(seconds(30), 1.0, None).unwrap_err().to_string();
    assert!(late.contains("after the run's end"), "{late}");
    let steps = shape("steps:10/s..40/s/4").curve(seconds(40), 2.0, None).unwrap();
    assert_eq!(values(&steps, &[5.0, 15.0, 25.0, 35.0]), [20.0, 40.0, 60.0, 80.0]);
    let users = shape("steps:1..4/3").curve(seconds(30), 1.0, None).unwrap();
    assert_eq!([5.0, 15.0, 25.0].map(|at| users.users(at)), [1, 3, 4]);
    let sine = shape("sine:10/s..50/s/20s").curve(seconds(50), 1.0, None).unwrap();
    assert_eq!(values(&sine, &[0.0, 5.0, 10.0, 15.0, 20.0, 30.0]), [10.0, 30.0, 50.0, 30.0, 10.0, 50.0]);
    assert!((sine.until(40.0) - 1200.0).abs() < 0.01, "{}", sine.until(40.0));
}

#[test]
fn the_recorded_shape_is_counted_by_the_second() {
    let starts = [0.0, 0.1, 0.12, 0.3, 0.9, 0.95];
    let course = Course::shape(&LoadShape::Recorded, 2.0, Path::new("")).unwrap();
    let curve = course.curve(seconds(10), 1.0, Some((&starts, 10.0))).unwrap();
    assert_eq!(values(&curve, &[0.5, 1.5, 2.5, 3.5, 9.5]), [2.0, 4.0, 0.0, 2.0, 4.0]);
    assert!((curve.total() - 12.0).abs() < 1e-9);
    assert!(course.curve(seconds(10), 1.0, None).is_err());
}

#[test]
fn points_of_a_file() {
    let read = |text: &str| points(text, "c.csv");
    let found = read("# a day\nt,sessions/s\n0,10\n30s,50\n30,20\n1m,2\n").unwrap();
    let course = Course { form: Form::Points(found), text: "c.csv".to_owned() };
    let curve = course.curve(course.own_length().unwrap(), 1.0, None).unwrap();
    assert_eq!(values(&curve, &[0.0, 15.0, 30.0, 45.0]), [10.0, 30.0, 20.0, 11.0]);
    assert_eq!(curve.duration(), seconds(60));
    assert_eq!(read("5;10\n\"9\";20").unwrap()[0].1.unit, Unit::Users);
    for (text, why) in [
        ("", "c.csv: no points"),
        ("t,users\n0,1\n", "ends at 0 s"),
        ("0,1\n5,2\n3,2\n", "c.csv, line 3: 3 s comes after 5 s"),
        ("0,1\n5\n", "c.csv, line 2: '5': expected two columns"),
        ("0,1\n\nx,2\n", "c.csv, line 3: duration 'x'"),
        ("0,1\n9,y\n", "c.csv, line 2: level 'y'"),
        ("t,speed\n0,1\n", "line 1: the head 'speed'"),
        ("t,rate\n0,-3\n", "line 2: level '-3'"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text:?}: {error}");
    }
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(text in "[0-9a-z,;./\n #-]{0,60}") {
        if let Ok(points) = points(&text, "c.csv") {
            let course = Course { form: Form::Points(points), text: String::new() };
            if course.unit().is_ok() {
                let curve = course.curve(course.own_length().unwrap(), 1.0, None).unwrap();
                prop_assert!(curve.total().is_finite());
            }
        }
    }
}
