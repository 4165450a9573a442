#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the dashboard for Grafana, deploy/grafana/gatehouse.json (`./dev docs` writes it).

Usage: write_dashboard.py PROGRAM

ROWS says what is shown. Types and help come from `PROGRAM config --metrics`: a metric that is named here and is not
there is an error, and so is one that is there and has no panel. So the dashboard has all metrics at any time, each
where people look for it, and none that there is not."""

import dataclasses
import json
import re
import subprocess
import sys

# Not shown, and why.
LEFT_OUT = {
    "process_virtual_memory_bytes": "address space that is reserved says nothing about memory that is used",
}

SUFFIX = re.compile(r"_(bucket|sum|count)$")
NAME = re.compile(r"\b(?:gatehouse|process)_[a-z0-9_]+\b")

WIDTH = 24  # of Grafana's grid


@dataclasses.dataclass
class Metric:
    kind: str
    help: str


@dataclasses.dataclass
class Panel:
    title: str
    targets: list  # of (expression, legend)
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    is_stacked: bool = False
    maximum: float | None = None
    marks: list = dataclasses.field(default_factory=list)  # of (value, color)


# --- expressions ---

def select(metric: str, more: str = "") -> str:
    route = ',route=~"$route"' if metric.startswith("gatehouse_route_") else ""
    return f'{metric}{{instance=~"$instance"{route}{more}}}'


def by_of(by: str) -> str:
    return f" by ({by})" if by else ""


def rate(metric: str, by: str = "", legend: str = "") -> tuple[str, str]:
    """Per second."""
    return (f"sum{by_of(by)} (rate({select(metric)}[$__rate_interval]))",
            legend or legend_of(by) or words(metric))


def total(metric: str, by: str = "", legend: str = "") -> tuple[str, str]:
    return f"sum{by_of(by)} ({select(metric)})", legend or legend_of(by) or words(metric)


def most(metric: str, by: str = "", legend: str = "") -> tuple[str, str]:
    return f"max{by_of(by)} ({select(metric)})", legend or legend_of(by) or words(metric)


def quantile(share: float, metric: str, by: str = "") -> tuple[str, str]:
    labels = f"le, {by}" if by else "le"
    return (f"histogram_quantile({share}, sum by ({labels}) (rate({select(metric + '_bucket')}[$__rate_interval])))",
            f"p{share * 100:g}" + (f" {legend_of(by)}" if by else ""))


def legend_of(by: str) -> str:
    return " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(",")) if by else ""


def words(metric: str) -> str:
    return re.sub(r"^gatehouse_|^process_|_total$|_seconds$|_bytes$", "", metric).replace("_", " ")


USED = ("max by (limit) (" + select("gatehouse_limit_used") + " / (" + select("gatehouse_limit") + " > 0))", "{{limit}}")
ALLOWED = ("min by (limit) (" + select("gatehouse_limit_connections") + ")", "{{limit}}")
NEARLY = [(0.8, "orange"), (0.95, "red")]
ANY = [(1, "red")]

ROWS = [
    ("Headroom", [
        Panel("Limits: how much is used", [USED], "percentunit", "bargauge", 12, maximum=1, marks=NEARLY),
        Panel("Connections that each limit allows", [ALLOWED], "short", "bargauge", 12),
        Panel("Connections", [total("gatehouse_connections")], kind="stat", width=4),
        Panel("Allowed by the tightest limit",
              [("sum (min by (instance) (" + select("gatehouse_limit_connections") + "))", "allowed")], kind="stat", width=4),
        Panel("Nodes", [("count (" + select("gatehouse_build_info") + ")", "nodes")], kind="stat", width=4),
        Panel("Versions", [("count by (version, engine) (" + select("gatehouse_build_info") + ")",
                            "{{version}} {{engine}}")], kind="stat", width=4),
        Panel("Configurations (more than one: nodes differ)",
              [("count (count by (hash) (" + select("gatehouse_config_info") + "))", "configurations")], kind="stat",
              width=4, marks=[(2, "orange")]),
        Panel("Workers", [total("gatehouse_workers")], kind="stat", width=4),
    ]),
    ("Connections", [
        Panel("Connections by node", [total("gatehouse_connections", "instance")]),
        Panel("Connections by route", [total("gatehouse_route_connections", "route")], is_stacked=True),
        Panel("Connections by listener", [total("gatehouse_listener_connections", "listener")], is_stacked=True),
        Panel("Sockets and clients", [total("gatehouse_sockets"), total("gatehouse_clients"), total("gatehouse_http_kept"),
                                      total("gatehouse_partial_connections")]),
        Panel("Accepts by route", [rate("gatehouse_route_connections_accepted_total", "route")], "cps"),
        Panel("Accepts", [rate("gatehouse_sockets_accepted_total"), rate("gatehouse_connections_accepted_total"),
                          rate("gatehouse_http_requests_total")], "cps"),
        Panel("Handshakes: how long", [quantile(0.5, "gatehouse_handshake_duration_seconds"),
                                       quantile(0.99, "gatehouse_handshake_duration_seconds")], "s"),
        Panel("How long connections lasted that ended", [
            quantile(0.1, "gatehouse_route_connection_duration_seconds"),
            quantile(0.5, "gatehouse_route_connection_duration_seconds"),
            quantile(0.9, "gatehouse_route_connection_duration_seconds")], "s"),
        Panel("Accepts by listener", [rate("gatehouse_listener_sockets_accepted_total", "listener", "{{listener}} sockets"),
                                      rate("gatehouse_listener_connections_accepted_total", "listener", "{{listener}} WebSockets")], "cps"),
        Panel("Taken over", [rate("gatehouse_takeovers_total"), rate("gatehouse_takeovers_repeated_total"),
                             rate("gatehouse_conflicts_total")], "cps"),
        Panel("Groups", [total("gatehouse_groups"), total("gatehouse_group_members"),
                         rate("gatehouse_groups_refused_total", legend="refused/s")]),
    ]),
    ("Refusals", [
        Panel("Refused, by limit", [rate("gatehouse_connections_refused_total", "limit")], "cps", is_stacked=True),
        Panel("Failed handshakes, by route and reason",
              [rate("gatehouse_route_handshake_failures_total", "route, reason")], "cps", is_stacked=True),
        Panel("Rejected, of any route", [
            rate("gatehouse_handshakes_rejected_total"), rate("gatehouse_handshake_timeouts_total"),
            rate("gatehouse_tls_hellos_total"), rate("gatehouse_http_kept_refused_total")], "cps"),
        Panel("Accepts that failed (the log names why)", [rate("gatehouse_accept_errors_total", "instance")], "cps",
              marks=[(0.001, "red")]),
        Panel("Who did not come in, by listener", [
            rate("gatehouse_listener_connections_refused_total", "listener", "{{listener}} limits"),
            rate("gatehouse_listener_handshakes_rejected_total", "listener", "{{listener}} rejected"),
            rate("gatehouse_listener_handshake_timeouts_total", "listener", "{{listener}} late"),
            rate("gatehouse_listener_tls_failures_total", "listener", "{{listener}} TLS"),
            rate("gatehouse_listener_accept_errors_total", "listener", "{{listener}} accepts that failed")], "cps"),
        Panel("Refused by a route's own limits", [rate("gatehouse_route_connections_refused_total", "route"),
                                                  rate("gatehouse_origins_refused_total", "route", "{{route}} origin")], "cps"),
        Panel("Browsers that were told", [rate("gatehouse_browsers_told_total"), rate("gatehouse_browsers_untold_total")], "cps"),
    ]),
    ("Ends", [
        Panel("Ends by reason", [rate("gatehouse_connections_closed_total", "reason")], "cps", width=12, is_stacked=True),
        Panel("Ends by route and reason", [rate("gatehouse_route_connections_closed_total", "route, reason")], "cps", width=12,
              is_stacked=True),
        Panel("Lines of the access log", [rate("gatehouse_access_log_lines_total", legend="written"),
                                          rate("gatehouse_access_log_dropped_total", "reason", "dropped: {{reason}}")], "cps"),
    ]),
    ("Messages", [
        Panel("Messages", [rate("gatehouse_messages_received_total"), rate("gatehouse_messages_sent_total")], "mps"),
        Panel("Messages received, by route", [rate("gatehouse_route_messages_received_total", "route")], "mps"),
        Panel("Messages sent, by route", [rate("gatehouse_route_messages_sent_total", "route")], "mps"),
        Panel("Bytes", [rate("gatehouse_received_bytes_total"), rate("gatehouse_sent_bytes_total")], "Bps"),
        Panel("Bytes received, by route", [rate("gatehouse_route_received_bytes_total", "route")], "Bps"),
        Panel("Bytes sent, by route", [rate("gatehouse_route_sent_bytes_total", "route")], "Bps"),
        Panel("What waits for clients", [total("gatehouse_send_queue_bytes", "instance")], "bytes"),
        Panel("Clients held up", [total("gatehouse_stalled_connections"), total("gatehouse_rate_held_connections"),
                                  total("gatehouse_send_queue_clients")]),
        Panel("Times that clients were held up", [rate("gatehouse_stalls_total"), rate("gatehouse_rate_holds_total"),
                                                  rate("gatehouse_memory_stops_total")], "cps"),
        Panel("Messages to many", [rate("gatehouse_fan_out_delivered_total"), rate("gatehouse_fan_out_cut_total"),
                                   rate("gatehouse_fan_out_refused_total")], "mps"),
        Panel("Pings", [rate("gatehouse_pings_sent_total")], "cps"),
        Panel("Compression: bytes", [
            rate("gatehouse_compression_received_bytes_total"), rate("gatehouse_compression_received_plain_bytes_total"),
            rate("gatehouse_compression_sent_bytes_total"), rate("gatehouse_compression_sent_plain_bytes_total"),
            rate("gatehouse_compression_saved_bytes_total")], "Bps"),
        Panel("Compression: clients", [
            total("gatehouse_compression_connections"), total("gatehouse_compression_windows"),
            rate("gatehouse_compression_windows_refused_total", legend="windows refused/s"),
            rate("gatehouse_compression_not_smaller_total", legend="not smaller/s")]),
    ]),
    ("Back ends", [
        Panel("Age of the oldest event", [most("gatehouse_backend_oldest_event_seconds", "backend")], "s"),
        Panel("Events that wait", [total("gatehouse_backend_events_waiting", "backend")]),
        Panel("What they cost", [total("gatehouse_backend_pending_bytes", "backend")], "bytes"),
        Panel("Latency", [quantile(0.5, "gatehouse_backend_request_duration_seconds", "backend"),
                          quantile(0.99, "gatehouse_backend_request_duration_seconds", "backend")], "s"),
        Panel("Attempts", [rate("gatehouse_backend_attempts_total", "backend"),
                           rate("gatehouse_backend_retries_total", "backend", "{{backend}} retries")], "reqps"),
        Panel("Under way", [total("gatehouse_backend_in_flight", "backend")]),
        Panel("Failures by cause", [rate("gatehouse_backend_failures_total", "backend, cause")], "reqps", is_stacked=True),
        Panel("What became of events", [rate("gatehouse_backend_events_total", "backend, type, outcome")], "reqps"),
        Panel("Breaker (1 open, 2 probes)", [most("gatehouse_backend_breaker_state", "backend"),
                                             rate("gatehouse_backend_breaker_opens_total", "backend", "{{backend}} opens/s")],
              marks=ANY),
        Panel("Connections made to it", [rate("gatehouse_backend_connections_opened_total", "backend")], "cps"),
        Panel("Calls without an answer", [rate("gatehouse_backend_calls_unanswered_total", "backend")], "cps"),
    ]),
    ("Loops", [
        Panel("Lag, p99 by worker", [quantile(0.99, "gatehouse_loop_lag_seconds", "instance, worker")], "s",
              marks=[(0.1, "red")]),
        Panel("Busy: share of a CPU, by worker", [rate("gatehouse_loop_busy_seconds_total", "instance, worker")],
              "percentunit", marks=[(0.9, "red")]),
        Panel("Loops that hang", [most("gatehouse_loop_hangs_seconds", "instance, loop")], "s", marks=ANY),
    ]),
    ("API, commands and calls", [
        Panel("Requests to the API that wait", [total("gatehouse_api_calls", "instance"),
                                                rate("gatehouse_api_calls_refused_total", legend="refused/s")]),
        Panel("Commands", [rate("gatehouse_commands_total", "command, outcome")], "reqps"),
        Panel("Actions of back ends", [rate("gatehouse_actions_total", "action, outcome")], "reqps"),
        Panel("Calls to clients", [rate("gatehouse_calls_total", "outcome"), rate("gatehouse_rpc_marked_total", "mark", "marked {{mark}}")],
              "reqps"),
        Panel("Calls that wait", [total("gatehouse_calls_waiting")]),
        Panel("How long calls take", [quantile(0.5, "gatehouse_call_duration_seconds"),
                                      quantile(0.99, "gatehouse_call_duration_seconds")], "s"),
    ]),
    ("Event streams", [
        Panel("Open", [total("gatehouse_streams", "instance"), rate("gatehouse_streams_refused_total", legend="refused/s")]),
        Panel("Events, and what was left out", [rate("gatehouse_stream_events_total", legend="events"),
                                                rate("gatehouse_stream_dropped_total", "of", "dropped: {{of}}")], "ops"),
        Panel("Ends, by reason", [rate("gatehouse_streams_ended_total", "reason")], "ops"),
    ]),
    ("TLS", [
        Panel("Handshakes", [rate("gatehouse_tls_handshakes_total", "kind"), rate("gatehouse_tls_versions_total", "version", "TLS {{version}}")],
              "cps"),
        Panel("Under way and waiting", [total("gatehouse_tls_handshakes_under_way"), total("gatehouse_tls_handshakes_waiting"),
                                        rate("gatehouse_tls_waited_total", "limit", "waited for {{limit}}/s")]),
        Panel("Failures", [rate("gatehouse_tls_failures_total", "cause"), rate("gatehouse_tls_truncated_total"),
                           rate("gatehouse_tls_alerts_total", "direction", "alerts {{direction}}")], "cps"),
        Panel("Connections", [total("gatehouse_tls_connections"), total("gatehouse_tls_connections_attached")]),
        Panel("Suites", [rate("gatehouse_tls_suites_total", "suite")], "cps"),
        Panel("Certificates: what is left", [
            ("min by (instance, listener) (" + select("gatehouse_certificate_expiry_timestamp_seconds") + ") - time()",
             "{{instance}} {{listener}}")], "s"),
    ]),
    ("Who may come in", [
        Panel("Proofs", [rate("gatehouse_auth_total", "way, outcome")], "cps", is_stacked=True),
        Panel("Addresses that failed lately", [total("gatehouse_auth_failures_remembered"),
                                               rate("gatehouse_auth_failures_dropped_total", legend="forgotten/s")]),
        Panel("Passwords", [total("gatehouse_passwords_waiting"), rate("gatehouse_passwords_checked_total", legend="checked/s"),
                            rate("gatehouse_passwords_busy_seconds_total", legend="share of a CPU")]),
        Panel("Tickets", [total("gatehouse_tickets"), rate("gatehouse_tickets_made_total", legend="made/s"),
                          rate("gatehouse_tickets_used_total", legend="used/s"),
                          rate("gatehouse_tickets_expired_total", legend="expired/s"),
                          rate("gatehouse_tickets_refused_total", legend="refused/s"),
                          rate("gatehouse_tickets_unknown_total", legend="unknown/s")]),
        Panel("Keys of tokens", [total("gatehouse_jwks_keys", "jwks"), most("gatehouse_jwks_age_seconds", "jwks", "age {{jwks}}"),
                                 total("gatehouse_jwks_waiting", "jwks", "waiting {{jwks}}"),
                                 rate("gatehouse_jwks_fetches_total", "jwks, outcome", "{{jwks}} {{outcome}}/s")]),
        Panel("Blocks", [total("gatehouse_blocks"), rate("gatehouse_blocked_total"), rate("gatehouse_blocks_made_total"),
                         rate("gatehouse_blocks_removed_total"), rate("gatehouse_blocks_expired_total"),
                         rate("gatehouse_blocks_refused_total")]),
        Panel("Proofs that were renewed", [rate("gatehouse_token_renewals_total"), rate("gatehouse_token_renewals_refused_total")],
              "cps"),
    ]),
    ("Bus", [
        Panel("Connected", [("min by (instance) (" + select("gatehouse_bus_connected") + ")", "{{instance}}")]),
        Panel("Traffic", [rate("gatehouse_bus_published_total"), rate("gatehouse_bus_delivered_total"),
                          rate("gatehouse_bus_requests_total")], "mps"),
        Panel("Trouble", [rate("gatehouse_bus_no_responders_total"), rate("gatehouse_bus_timeouts_total"),
                          rate("gatehouse_bus_disconnects_total"), rate("gatehouse_bus_refused_total"),
                          rate("gatehouse_bus_dropped_total"), rate("gatehouse_bus_reconnects_total"),
                          rate("gatehouse_bus_forbidden_total")], "cps"),
        Panel("What waits", [total("gatehouse_bus_loop_pending_bytes"), total("gatehouse_bus_broker_pending_bytes")], "bytes"),
        Panel("Subscriptions and requests", [total("gatehouse_bus_subscriptions"), total("gatehouse_bus_requests_in_flight"),
                                             total("gatehouse_bus_forbidden_subjects")]),
        Panel("Claims", [rate("gatehouse_claims_announced_total"), rate("gatehouse_claims_unanswered_total"),
                         rate("gatehouse_claims_lost_total")], "cps"),
    ]),
    ("Tracing", [
        Panel("Spans", [rate("gatehouse_tracing_spans_exported_total"),
                        rate("gatehouse_tracing_spans_dropped_total", "reason", "dropped: {{reason}}")], "cps"),
        Panel("Requests to the collector", [rate("gatehouse_tracing_requests_total", "outcome")], "reqps"),
        Panel("Spans that wait for it", [total("gatehouse_tracing_queue_spans")], width=4),
        Panel("What they take", [total("gatehouse_tracing_queue_bytes")], "bytes", width=4),
    ]),
    ("Deploys", [
        Panel("Drains", [most("gatehouse_drain_active", "instance"),
                         total("gatehouse_drain_clients_left", legend="clients left"),
                         total("gatehouse_drain_clients_busy", legend="busy"),
                         rate("gatehouse_drains_total", "outcome", "{{outcome}}/s")]),
        Panel("Drains: time left", [most("gatehouse_drain_seconds_left", "instance")], "s"),
        Panel("Upgrades", [(f"sum by (outcome) (increase({select('gatehouse_upgrades_total')}[$__range]))", "{{outcome}}"),
                           (f"sum (increase({select('gatehouse_upgrades_moved_total')}[$__range]))", "moved")], kind="stat"),
        Panel("Reloads", [(f"sum by (outcome) (increase({select('gatehouse_config_reloads_total')}[$__range]))", "{{outcome}}")],
              kind="stat"),
        Panel("Since", [("time() - " + most("gatehouse_config_last_reload_timestamp_seconds")[0], "the last reload"),
                        ("time() - " + most("gatehouse_upgrade_last_timestamp_seconds")[0], "the last upgrade"),
                        ("time() - " + most("process_start_time_seconds")[0], "the last start")], "s", "stat"),
        Panel("Files that were read again", [most("gatehouse_renewals_failing", "what"),
                                             rate("gatehouse_renewals_total", "what, outcome", "{{what}} {{outcome}}/s")], marks=ANY),
        Panel("Configurations that clients came in by", [most("gatehouse_config_snapshots", "instance")]),
    ]),
    ("Process", [
        Panel("CPU", [rate("process_cpu_seconds_total", "instance")], "percentunit"),
        Panel("Memory", [total("process_resident_memory_bytes", "instance")], "bytes"),
        Panel("Descriptors", [total("process_open_fds", "instance", "{{instance}} open"),
                              total("process_max_fds", "instance", "{{instance}} allowed")]),
    ]),
]


# --- the document ---

def metrics_of(program: str) -> dict[str, Metric]:
    text = subprocess.run([program, "config", "--metrics"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {name: Metric(kind, help) for name, kind, help in
            re.findall(r"^\| `((?:gatehouse|process)_\w+)` \| (\w+) \| (.*) \|$", text, re.MULTILINE)}


def named_in(expression: str, metrics: dict[str, Metric]) -> list[str]:
    names = []
    for name in NAME.findall(expression):
        base = SUFFIX.sub("", name)
        names.append(base if name not in metrics and metrics.get(base, Metric("", "")).kind == "histogram" else name)
    return names


def target_for(name: str, metric: Metric) -> str:
    """As it would stand in ROWS."""
    if metric.kind == "histogram":
        return f'quantile(0.99, "{name}")'
    return f'rate("{name}")' if metric.kind == "counter" else f'total("{name}")'


def check(metrics: dict[str, Metric]) -> None:
    named = {name for _, panels in ROWS for panel in panels for expression, _ in panel.targets
             for name in named_in(expression, metrics)}
    unknown = sorted((named | LEFT_OUT.keys()) - metrics.keys())
    if unknown:
        sys.exit(f"write_dashboard: there is no metric {', '.join(unknown)}")
    rows = ", ".join(f'"{title}"' for title, _ in ROWS)
    for name, metric in metrics.items():
        if name not in named | LEFT_OUT.keys():
            sys.exit(f"write_dashboard: the metric {name} has no panel. Add {target_for(name, metric)} to one of the row where "
                     f"people look for it, or a panel, in ROWS of tools/write_dashboard.py ({rows}); or to LEFT_OUT there, "
                     "with the reason.")


def steps_of(panel: Panel) -> dict:
    return {"mode": "absolute", "steps": [{"color": "green", "value": None}] +
            [{"color": color, "value": value} for value, color in panel.marks]}


def options_of(panel: Panel) -> dict:
    if panel.kind == "timeseries":
        return {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                "tooltip": {"mode": "multi", "sort": "desc"}}
    reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    if panel.kind == "stat":
        return {"reduceOptions": reduce, "colorMode": "value", "graphMode": "none", "textMode": "auto", "orientation": "auto",
                "justifyMode": "auto", "wideLayout": True, "showPercentChange": False, "percentChangeColorMode": "standard"}
    return {"reduceOptions": reduce, "displayMode": "basic", "orientation": "horizontal", "showUnfilled": True,
            "valueMode": "color", "namePlacement": "auto", "sizing": "auto", "minVizWidth": 8, "minVizHeight": 16,
            "maxVizHeight": 300, "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []}}


def custom_of(panel: Panel) -> dict:
    if panel.kind != "timeseries":
        return {}
    return {"custom": {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 20 if panel.is_stacked else 5, "showPoints": "never",
                       "spanNulls": False, "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
                       "thresholdsStyle": {"mode": "dashed" if panel.marks else "off"}}}


def description_of(panel: Panel, metrics: dict[str, Metric]) -> str:
    names = dict.fromkeys(name for expression, _ in panel.targets for name in named_in(expression, metrics))
    return "\n\n".join(f"`{name}`: {metrics[name].help}" for name in names)


def panel_json(panel: Panel, number: int, x: int, y: int, height: int, metrics: dict[str, Metric]) -> dict:
    source = {"type": "prometheus", "uid": "${datasource}"}
    is_instant = panel.kind != "timeseries"
    defaults = {"unit": panel.unit, "min": 0, "thresholds": steps_of(panel), "color": {
        "mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"}} | custom_of(panel)
    if panel.maximum is not None:
        defaults["max"] = panel.maximum
    return {
        "id": number, "type": panel.kind, "title": panel.title, "description": description_of(panel, metrics),
        "datasource": source, "gridPos": {"h": height, "w": panel.width, "x": x, "y": y},
        "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options_of(panel),
        "targets": [{"refId": chr(ord("A") + i), "datasource": source, "expr": expression, "legendFormat": legend,
                     "instant": is_instant, "range": not is_instant} for i, (expression, legend) in enumerate(panel.targets)],
    }


def panels_json(metrics: dict[str, Metric]) -> list[dict]:
    check(metrics)
    panels, y = [], 0
    for title, row in ROWS:
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "panels": [],
                       "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y}})
        x, y, height = 0, y + 1, 0
        for panel in row:
            if x + panel.width > WIDTH:
                x, y = 0, y + height
                height = 0
            own = {"stat": 4, "bargauge": 12}.get(panel.kind, 8)
            panels.append(panel_json(panel, len(panels) + 1, x, y, own, metrics))
            x, height = x + panel.width, max(height, own)
        y += height
    return panels


def variable(name: str, label: str, query: str) -> dict:
    return {"name": name, "label": label, "type": "query", "query": {"query": query, "refId": name}, "definition": query,
            "datasource": {"type": "prometheus", "uid": "${datasource}"}, "multi": True, "includeAll": True, "allValue": ".*",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "refresh": 2, "sort": 1, "hide": 0,
            "options": [], "regex": "", "skipUrlSync": False}


def dashboard(program: str) -> dict:
    return {
        "uid": "gatehouse", "title": "Gatehouse", "tags": ["gatehouse", "websocket"], "schemaVersion": 38, "version": 1,
        "description": "Written by ./dev docs from the table of metrics (tools/write_dashboard.py).",
        "editable": True, "graphTooltip": 1, "timezone": "browser", "refresh": "30s", "time": {"from": "now-3h", "to": "now"},
        "links": [], "annotations": {"list": [{
            "name": "Restarts", "enable": True, "iconColor": "red", "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "expr": 'changes(process_start_time_seconds{instance=~"$instance"}[1m]) > 0', "titleFormat": "{{instance}} started"}]},
        "templating": {"list": [
            {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0,
             "current": {"selected": True, "text": "default", "value": "default"}, "includeAll": False, "multi": False, "options": [], "refresh": 1, "regex": "", "skipUrlSync": False},
            variable("instance", "Node", "label_values(gatehouse_build_info, instance)"),
            variable("route", "Route", 'label_values(gatehouse_route_connections{instance=~"$instance"}, route)')]},
        "panels": panels_json(metrics_of(program)),
    }


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(json.dumps(dashboard(sys.argv[1]), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
