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
