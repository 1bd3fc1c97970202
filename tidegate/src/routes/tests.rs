use super::*;

fn line(method: &str, path: &str, rpc: &str, host: &str) -> RouteLine {
    let [method, path, rpc, host] = [method, path, rpc, host].map(str::to_owned);
    RouteLine { method, path, host, rpc, upstream: "shop".to_owned() }
}

#[test]
fn columns_are_aligned_and_hosts_left_out_where_there_are_none() {
    let lines = [
        line("GET", "/v1/orders/{id}", "shop.v1.Orders/Get", "*"),
        line("DELETE", "/v1/é", "shop.v1.Orders/Delete", "*"),
    ];
    assert_eq!(
        table(&lines),
        "METHOD  PATH             RPC                    UPSTREAM\n\
         GET     /v1/orders/{id}  shop.v1.Orders/Get     shop\n\
         DELETE  /v1/é            shop.v1.Orders/Delete  shop\n"
    );
}

#[test]
fn hosts_are_the_last_column() {
    let lines = [line("GET", "/a", "a.B/C", "*"), line("GET", "/a", "a.B/C", "*.example.com")];
    assert_eq!(
        table(&lines),
        "METHOD  PATH  RPC    UPSTREAM  HOST\n\
         GET     /a    a.B/C  shop      *\n\
         GET     /a    a.B/C  shop      *.example.com\n"
    );
}
