//! Tables of a loupedb tree, whole and broken.

use proptest::prelude::*;

use super::*;

const EXCLUSIVE: &str = "# syscall, used, works faked, works stubbed, works both\n\
    0,Y,N,N,N\n\
    1,Y,Y,N,N\n\
    2,Y,N,Y,N\n\
    3,Y,N,N,Y\n\
    4,N,N,N,N\n";

fn call(name: &str) -> Sysno {
    name.parse().unwrap()
}

fn read(text: &str) -> Result<DynamicTable, Vec<String>> {
    read_dynamic(Path::new("dyn.csv"), text).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn fake_stands_before_stub() {
    let table = read(EXCLUSIVE).unwrap();
    let cells = |name| table.rows[&call(name)];
    assert_eq!(cells("read"), Cells { used: true, stub: false, fake: false });
    assert_eq!(cells("write"), Cells { used: true, stub: false, fake: true });
    assert_eq!(cells("open"), Cells { used: true, stub: true, fake: false });
    assert_eq!(cells("close"), Cells { used: true, stub: true, fake: true });
    assert_eq!((table.rows.len(), table.form.both), (4, Some(Both::Alone)));
}

#[test]
fn both_ways_to_say_both_mean_the_same_and_are_written_as_they_were() {
    let all = EXCLUSIVE.replace("3,Y,N,N,Y", "3,Y,Y,Y,Y");
    let table = read(&all).unwrap();
    assert_eq!(table.form.both, Some(Both::All));
    assert_eq!(table.rows, read(EXCLUSIVE).unwrap().rows);
    assert_eq!(write_dynamic(&table.rows, &table.form), all);
}

#[test]
fn tables_are_written_byte_for_byte_as_they_were_read() {
    let bare = EXCLUSIVE.split_once('\n').unwrap().1;
    for text in [EXCLUSIVE, bare, bare.trim_end(), &format!("{bare}\n"), "9,N,Y,Y,Y\n335,N,N,N,N\n"] {
        let table = read(text).unwrap();
        assert_eq!(write_dynamic(&table.rows, &table.form), text);
    }
    for text in ["# syscall, used\n0,Y\n1,N", "0,N\n334,Y\n"] {
        let table = read_static(Path::new("static_binary.csv"), text).unwrap();
        assert_eq!(write_static(&table.reported, &table.form), text);
    }
}

#[test]
fn what_is_said_of_calls_that_were_not_used_is_kept() {
    let table = read("21,N,Y,Y,Y\n55,N,Y,N,N\n").unwrap();
    assert_eq!(table.rows[&call("access")], Cells { used: false, stub: true, fake: true });
    assert_eq!(table.rows[&call("getsockopt")], Cells { used: false, stub: false, fake: true });
}

#[test]
fn broken_rows_are_refused_with_their_line() {
    for (from, to, message) in [
        (
            "works faked, works stubbed",
            "works stubbed, works faked",
            "1: the columns are `# syscall, used, works stubbed, works faked, works both` instead of `# syscall, used, works faked, works stubbed, works both`",
        ),
        ("1,Y,Y,N,N", "1,Y,Y,N", "3: 4 columns instead of 5"),
        ("1,Y,Y,N,N", "", "3: an empty line"),
        ("1,Y,Y,N,N", "999,Y,Y,N,N", "3: no Linux on x86_64 has a system call 999"),
        ("1,Y,Y,N,N", "write,Y,Y,N,N", "3: `write` is not the number of a system call"),
        ("1,Y,Y,N,N", "1,Y,y,N,N", "3: `works faked` is `y` instead of Y or N"),
        ("1,Y,Y,N,N", "0,Y,Y,N,N", "3: system call 0 (`read`) stands in line 2 already"),
        ("3,Y,N,N,Y", "3,Y,N,Y,Y", "5: `works both` is Y, and so is `works stubbed`, but not `works faked`"),
        ("3,Y,N,N,Y", "3,Y,Y,N,Y", "5: `works both` is Y, and so is `works faked`, but not `works stubbed`"),
        ("3,Y,N,N,Y", "3,Y,Y,Y,N", "5: `works faked` and `works stubbed` are Y, and `works both` is N"),
        ("4,N,N,N,N", "4,Y,Y,Y,Y", "6: says `works both` in another way than line 5, which has N,N,Y"),
    ] {
        assert!(EXCLUSIVE.contains(from), "{from}");
        assert_eq!(read(&EXCLUSIVE.replacen(from, to, 1)), Err(vec![format!("dyn.csv:{message}")]));
    }
    for empty in ["", "\n", "# syscall, used, works faked, works stubbed, works both\n"] {
        assert_eq!(read(empty).unwrap_err().len(), 1, "{empty:?}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let text = EXCLUSIVE.replace("0,Y", "x,Y").replace("2,Y,N", "2,?,N").replace("4,N", "1,N");
    let problems = read(&text).unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:?}");
}

proptest! {
    #[test]
    fn any_table_is_read_back_as_it_was_written(
        rows in prop::collection::btree_map(0_usize..350, (any::<bool>(), any::<bool>(), any::<bool>()), 1..40),
        header: bool,
        line_ends in 0_usize..3,
        all: bool,
    ) {
        let calls: Vec<_> = Sysno::all().filter(|call| call.number(ARCHITECTURE).is_some()).collect();
        let rows: BTreeMap<Sysno, Cells> =
            rows.into_iter().map(|(index, (used, stub, fake))| (calls[index], Cells { used, stub, fake })).collect();
        let numbers: Numbers = rows.keys().filter_map(|call| call.number(ARCHITECTURE)).collect();
        let some_both = rows.values().any(|cells| cells.stub && cells.fake);
        let both = some_both.then_some(if all { Both::All } else { Both::Alone });
        let form = Form { numbers, header, line_ends, both };
        let text = write_dynamic(&rows, &form);
        let table = read(&text).unwrap();
        prop_assert_eq!(&table.form, &form);
        prop_assert_eq!(write_dynamic(&table.rows, &table.form), text);
        let told: BTreeMap<_, _> = rows.into_iter().filter(|(_, cells)| *cells != Cells::default()).collect();
        prop_assert_eq!(table.rows, told);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[0-9YN,# \n\r\tx\"é-]{0,80}") {
        let _ = read(&text);
        let _ = read_static(Path::new("static_binary.csv"), &text);
    }

    #[test]
    fn every_problem_names_a_line_of_the_text(edit in "[^\n]{0,12}", line in 0_usize..6) {
        let mut lines: Vec<_> = EXCLUSIVE.lines().collect();
        lines[line] = &edit;
        let text = lines.join("\n");
        if let Err(problems) = read_dynamic(Path::new("dyn.csv"), &text) {
            for problem in problems {
                let StoreError::Broken { line, .. } = problem else { panic!("{problem}") };
                prop_assert!((1..=text.lines().count().max(1)).contains(&line));
            }
        }
    }
}
