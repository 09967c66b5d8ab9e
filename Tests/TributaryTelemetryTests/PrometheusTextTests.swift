import Testing
import TributaryCore
import TributaryTelemetry

@Suite struct PrometheusTextTests {
    let metrics: [MetricSnapshot] = {
        let registry = MetricsRegistry()
        let label = MetricLabel("topic", "a\"b\\c\nd")
        registry.counter("app.records", unit: "{record}", help: "Records \"seen\".", labels: [label]).add(3)
        registry.gauge("app.size", unit: "By", help: "Size.", labels: []).set(1.5)
        let times = registry.histogram(
            "app.time", unit: "s", help: "Time.", labels: [label], Histogram(lowest: 1, buckets: 3, scale: 0.5))
        times.observe(1)
        times.observe(7, exemplar: TraceContext(traceHigh: 0x0af7, traceLow: 0x1d, span: 0xb7, flags: 1), at: 1500)
        return registry.snapshot()
    }()

    @Test("Prometheus's own format")
    func prometheus() {
        let expected = #"""
            # HELP app_records_total Records "seen".
            # TYPE app_records_total counter
            app_records_total{topic="a\"b\\c\nd"} 3
            # HELP app_size_bytes Size.
            # TYPE app_size_bytes gauge
            app_size_bytes 1.5
            # HELP app_time_seconds Time.
            # TYPE app_time_seconds histogram
            app_time_seconds_bucket{topic="a\"b\\c\nd",le="0.5"} 1
            app_time_seconds_bucket{topic="a\"b\\c\nd",le="1"} 1
            app_time_seconds_bucket{topic="a\"b\\c\nd",le="+Inf"} 2
            app_time_seconds_sum{topic="a\"b\\c\nd"} 4
            app_time_seconds_count{topic="a\"b\\c\nd"} 2

            """#
        #expect(PrometheusText.encode(metrics, .prometheus) == expected)
    }

    func lines(_ metrics: [MetricSnapshot], _ format: PrometheusText.Format = .prometheus) -> [String] {
        PrometheusText.encode(metrics, format).split(separator: "\n").map(String.init).filter {
            !$0.hasPrefix("# HELP")
        }
    }

    func gauge(_ name: String, _ labels: [MetricLabel], _ value: Double = 1, unit: String = "") -> MetricSnapshot {
        MetricSnapshot(
            description: MetricDescription(.gauge, name, unit: unit, help: "Help."),
            points: [MetricPoint(labels: labels, value: .number(value))])
    }

    @Test func `labels are sanitised, and two that become one are joined`() {
        let labels = [
            MetricLabel("messaging.system", "kafka"), MetricLabel("messaging_system", "k"), MetricLabel("1st", "a"),
            MetricLabel("__name__", "b"), MetricLabel("a:b-ä", "c"), MetricLabel("", "d"),
        ]
        #expect(
            lines([gauge("g", labels)])[1]
                == #"g{messaging_system="kafka;k",key_1st="a",_name__="b",a_b___="c",_="d"} 1"#)
        let registry = MetricsRegistry()
        let times = registry.histogram(
            "h", unit: "", help: "", labels: [MetricLabel("le", "x")], Histogram(lowest: 1, buckets: 2, scale: 1))
        times.observe(1)
        #expect(lines(registry.snapshot()).contains(#"h_bucket{exported_le="x",le="1"} 1"#))
    }

    @Test func `no two families, nor two series, have one name`() {
        let registry = MetricsRegistry()
        registry.counter("a.b", unit: "", help: "1", labels: []).add(1)
        registry.counter("a_b", unit: "", help: "2", labels: []).add(2)
        registry.gauge("a.b", unit: "", help: "3", labels: []).set(3)
        registry.gauge("a.c_count", unit: "", help: "4", labels: []).set(4)
        registry.histogram("a.c", unit: "", help: "5", labels: [], Histogram(lowest: 1, buckets: 2, scale: 1)).observe(
            1)
        registry.counter("d_total", unit: "", help: "6", labels: []).add(6)
        for format in [PrometheusText.Format.prometheus, .openMetrics] {
            let lines = lines(registry.snapshot(), format)
            let families = lines.filter { $0.hasPrefix("# TYPE") }.map { $0.split(separator: " ")[2] }
            #expect(families.count == 6 && Set(families).count == 6)
            let series = lines.filter { !$0.hasPrefix("#") }.map { $0.split(separator: " ")[0] }
            #expect(Set(series).count == series.count)
            #expect(lines.contains("a_b_total 1") && lines.contains("a_b_2 3") && lines.contains("a_b_3_total 2"))
            #expect(lines.contains("d_total 6"))
        }
        // Of two points with the same labels the last one counts.
        var twice = gauge("g", [MetricLabel("x", "1")], 1)
        twice.points += gauge("g", [MetricLabel("x", "1")], 2).points
        #expect(lines([twice]) == ["# TYPE g gauge", #"g{x="1"} 2"#])
    }

    @Test(arguments: [
        ("", false), ("*/*", false), ("text/plain", false), ("application/openmetrics-text", true),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true),
        ("application/openmetrics-text; version=1.0.0; q=0.2, text/plain; q=0.5", false),
        ("application/openmetrics-text;q=0, */*", false), ("application/openmetrics-text;q=0", false),
        ("application/openmetrics-text;q=0.5,text/*;q=0.6", false),
        ("text/plain;q=0.4,text/*;q=0.9,application/openmetrics-text;q=0.5", true),
        ("Application/OpenMetrics-Text;Q=0.8, text/plain;q=0.8", true),
        ("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", false),
        ("application/openmetrics-text;q=2", false), ("text/html,application/xml;q=0.9,*/*;q=0.8", false),
        ("text/x-application/openmetrics-text", false),
    ])
    func `the format with the greater weight is sent`(_ accept: String, _ isOpenMetrics: Bool) {
        #expect(PrometheusText.Format(accept: accept) == (isOpenMetrics ? .openMetrics : .prometheus))
    }

    @Test("OpenMetrics has exemplars, an end, and families without their suffix")
    func openMetrics() {
        let text = PrometheusText.encode(metrics, .openMetrics)
        #expect(
            text.hasPrefix("# HELP app_records Records \\\"seen\\\".\n# TYPE app_records counter\napp_records_total{"))
        let ids = "{trace_id=\"0000000000000af7000000000000001d\",span_id=\"00000000000000b7\"}"
        #expect(text.contains("le=\"+Inf\"} 2 # \(ids) 3.5 1.5\n"))
        #expect(text.hasSuffix("# EOF\n"))
    }
}
