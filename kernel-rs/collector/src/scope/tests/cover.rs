//! Whether targets leave anything of a session out.

use super::*;

#[test]
fn targets_cover_what_they_leave_nothing_of() {
    let covered = |spec: &SessionSpec, targets: &[Filter]| {
        let compiled = spec::check(spec).unwrap().compiled;
        covers(&clauses(targets), &compiled, &compiled.filters)
    };
    let ten = of(
        vec![tcp()],
        vec![client(&["10.1.0.0/16"]), cidrs(&["10.2.0.0/16"])],
    );
    let all = of(vec![tcp()], Vec::new());
    for (spec, targets, is) in [
        (&ten, vec![cidrs(&["10.0.0.0/8"])], true),
        (
            &ten,
            vec![cidrs(&["10.1.0.0/16"]), cidrs(&["10.2.0.0/16"])],
            true,
        ),
        (&ten, vec![cidrs(&["10.1.0.0/16"])], false),
        (&ten, vec![client(&["10.0.0.0/8"])], false),
        (&all, vec![Filter::default()], true),
        (&all, vec![], false),
        (&all, vec![cidrs(&["0.0.0.0/0"])], false),
        (
            &all,
            vec![Filter {
                protocols: vec![6],
                ..Filter::default()
            }],
            true,
        ),
        (
            &all,
            vec![Filter {
                protocols: vec![17],
                ..Filter::default()
            }],
            false,
        ),
        (
            &all,
            vec![of_metrics(&[Metric::TcpRtt], Filter::default())],
            false,
        ),
        (&all, vec![at(&["eth0"])], false),
        (
            &SessionSpec {
                interfaces: texts(&["eth0"]),
                ..all.clone()
            },
            vec![at(&["e*"])],
            true,
        ),
    ] {
        assert_eq!(covered(spec, &targets), is, "{targets:?}");
        if let Ok(narrowed) = narrow(spec, &within(&targets)) {
            assert!(covered(&narrowed, &targets), "{targets:?}");
        }
    }
}
