use std::time::Duration;

use tidegate_shop::keyset::{Moving, PageCost, measure};

#[test]
fn page_one_and_page_one_thousand_of_a_hundred_thousand_orders_visit_as_many_rows() {
    let folder = tempfile::tempdir().unwrap();
    let report = measure(&folder.path().join("shop.db"), 100_000, 1_000, &[1, 1_000]).unwrap();
    let cost = |by_status, page| {
        let of_first = report.costs.iter().find(|cost| cost.by_status == by_status).unwrap();
        let PageCost { vm_steps, .. } = *of_first;
        let orders = report.page_size;
        PageCost { by_status, page, orders, vm_steps, full_scan_steps: 0, sorts: 0, took: Duration::ZERO }
    };
    let costs: Vec<_> = report.costs.iter().map(|cost| PageCost { took: Duration::ZERO, ..*cost }).collect();
    assert_eq!(costs, [cost(true, 1), cost(true, 1_000), cost(false, 1), cost(false, 1_000)]);
    // The measure would see a difference: the same page by OFFSET visits all before it.
    let first = costs[0].vm_steps;
    assert!(report.offset_vm_steps > 100 * first, "{} against {first}", report.offset_vm_steps);

    let moving = report.moving;
    assert!(moving.changes > 2_000 && moving.stayed > 20_000, "{moving:?}");
    assert_eq!(moving, Moving { once: moving.stayed, lost: 0, doubled: 0, early: 0, ..moving });
}
