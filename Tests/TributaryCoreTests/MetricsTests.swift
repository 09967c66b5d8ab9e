import Testing
import TributaryCore

@Suite struct MetricsTests {
    @Test("a histogram's bounds are inclusive powers of two, in the metric's unit")
    func buckets() {
        let histogram = Histogram(lowest: 4, buckets: 4, scale: 0.5)
        for value: Int64 in [-3, 0, 4, 5, 8, 9, 16, 17, 1_000_000] { histogram.observe(value) }
        let found = histogram.snapshot
        #expect(found.bounds == [2, 4, 8])
        #expect(found.counts == [3, 2, 2, 2])
        #expect(found.count == 9)
        #expect(found.sum == 0.5 * (4 + 5 + 8 + 9 + 16 + 17 + 1_000_000))
        #expect(found.exemplars.allSatisfy { $0 == nil })
    }

    @Test("a lowest bound that is no power of two is rounded up")
    func rounding() {
        let histogram = Histogram(lowest: 1000, buckets: 3, scale: 1)
        histogram.observe(1024, count: 7)
        #expect(histogram.snapshot.bounds == [1024, 2048])
        #expect(histogram.snapshot.counts == [7, 0, 0])
        #expect(histogram.snapshot.sum == 7168)
    }

    @Test("each bucket keeps its newest exemplar")
    func exemplars() throws {
        let histogram = Histogram(lowest: 1, buckets: 8, scale: 1)
        func context(_ span: UInt64) -> TraceContext { TraceContext(traceHigh: 1, traceLow: 2, span: span, flags: 1) }
        histogram.observe(3, exemplar: context(7), at: 100)
        histogram.observe(4, exemplar: context(8), at: 101)
        histogram.observe(100, exemplar: context(9), at: 102)
        let found = histogram.snapshot.exemplars.compactMap { $0 }
        #expect(
            found == [
                Exemplar(context: context(8), value: 4, timestamp: 101),
                Exemplar(context: context(9), value: 100, timestamp: 102),
            ])
    }

    @Test("series of one name come together, and a reading is asked each time")
    func registry() {
        let registry = MetricsRegistry()
        let first = registry.counter("b", unit: "{record}", help: "B.", labels: [MetricLabel("thread", "1")])
        let gauge = registry.gauge("a", unit: "By", help: "A.", labels: [])
        let second = registry.counter("b", unit: "{record}", help: "B.", labels: [MetricLabel("thread", "2")])
        let calls = Counter()
        registry.reading(MetricDescription(.gauge, "c", unit: "1", help: "C.")) {
            calls.add()
            return [MetricPoint(labels: [], value: .number(Double(calls.value)))]
        }
        first.add(3)
        second.add()
        second.add(4)
        gauge.set(2.5)
        _ = registry.snapshot()
        let found = registry.snapshot()
        #expect(found.map(\.description.name) == ["a", "b", "c"])
        #expect(found[0].points == [MetricPoint(labels: [], value: .number(2.5))])
        #expect(
            found[1].points == [
                MetricPoint(labels: [MetricLabel("thread", "1")], value: .number(3)),
                MetricPoint(labels: [MetricLabel("thread", "2")], value: .number(5)),
            ])
        #expect(found[2].points == [MetricPoint(labels: [], value: .number(2))])
    }

    @Test("readers beside a writer see whole exemplars only")
    func torn() async {
        let histogram = Histogram(lowest: 1, buckets: 2, scale: 1)
        let writing = Task.detached {
            for number in 1...200_000 as ClosedRange<UInt64> {
                histogram.observe(
                    Int64(number), exemplar: TraceContext(traceHigh: number, traceLow: number, span: number, flags: 1),
                    at: Int64(number))
            }
        }
        var seen = 0
        while seen < 100 {
            for case let exemplar? in histogram.snapshot.exemplars where exemplar.value > 1 {
                seen += 1
                #expect(exemplar.context.traceHigh == exemplar.context.span)
                #expect(exemplar.timestamp == Int64(exemplar.context.span))
            }
        }
        await writing.value
    }
}
