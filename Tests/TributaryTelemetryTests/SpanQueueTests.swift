import Testing
import TributaryCore
import TributaryLineage
import TributaryTelemetry

@Suite struct SpanQueueTests {
    /// A batch with one span of each trace `0..<count`, whose ids are spread evenly.
    func batch(_ count: Int, span: UInt64, links: Int = 0) -> SpanBatch {
        var batch = SpanBatch(operations: Sample.operations)
        for trace in 0..<count {
            let low = UInt64(trace) << 46 | 1
            var record = SpanRecord(
                context: Sample.context(low, span), parent: 0, start: Int64(trace), end: 0, operation: 1)
            record.firstLink = Int32(batch.links.count)
            record.links = Int32(links)
            record.detail = Int32(trace)
            for _ in 0..<links { batch.links.append(LinkRecord(.merged, Sample.context(low, 77))) }
            batch.details.append(SpanDetail(name: "\(trace)"))
            batch.spans.append(record)
        }
        return batch
    }

    @Test func `what fits comes out as it went in`() {
        var queue = SpanQueue(limit: 1 << 20)
        for span in 0..<5 { queue.add(batch(10, span: UInt64(span) + 1)) }
        var spans: [UInt64] = []
        while let batch = queue.take() { spans += batch.spans.map { $0.context.span } }
        #expect(spans == [1, 2, 3, 4, 5].flatMap { [UInt64](repeating: $0, count: 10) })
        #expect(queue.counts == countsOf(taken: 50) && queue.bytes == 0 && queue.isEmpty)
    }

    @Test func `when it is full half of the traces leave it, whole`() {
        let size = SpanQueue.size(batch(1024, span: 1, links: 2))
        var queue = SpanQueue(limit: size * 5 / 2)
        for span in 1...3 { queue.add(batch(1024, span: UInt64(span), links: 2)) }
        #expect(queue.threshold == 1 << 55)
        #expect(queue.counts.dropped == 3 * 512 && queue.counts.cut == 0)
        // The table forgets some traces when several share a slot.
        #expect((512...540).contains(queue.counts.droppedTraces))
        #expect(queue.bytes <= size * 5 / 2)
        var seen: [UInt64: Int] = [:]
        while let batch = queue.take() {
            for span in batch.spans {
                seen[span.context.traceLow, default: 0] += 1
                // Links and details have moved with their spans.
                #expect(batch.links[Int(span.firstLink)].context.traceLow == span.context.traceLow)
                #expect(batch.details[Int(span.detail)].name == "\(span.context.traceLow >> 46)")
            }
        }
        #expect(seen.count == 512 && seen.values.allSatisfy { $0 == 3 })
        #expect(seen.keys.allSatisfy { $0 >= 1 << 55 })
    }

    @Test func `traces of which spans had left are counted as cut`() {
        let size = SpanQueue.size(batch(100, span: 1))
        var queue = SpanQueue(limit: size * 3 / 2)
        queue.add(batch(100, span: 1))
        _ = queue.take()
        queue.add(batch(100, span: 2))
        queue.add(batch(100, span: 3))
        #expect(queue.counts.cut > 0 && queue.counts.cut == queue.counts.droppedTraces)
    }

    @Test func `traces whose later spans were not even made are counted as cut, once`() {
        var queue = SpanQueue(limit: 1 << 20)
        let sent = batch(10, span: 1)
        queue.add(sent)
        let traces = sent.spans.map(\.context)
        // Nothing of them has left yet.
        queue.leftOut(of: traces)
        #expect(queue.counts == SpanQueue.Counts())
        _ = queue.take()
        queue.leftOut(of: Array(traces[..<3]) + [Sample.context(77, 1)])
        queue.leftOut(of: Array(traces[..<2]))
        #expect(queue.counts.cut == 3 && queue.counts.droppedTraces == 3 && queue.counts.dropped == 0)
        // What comes of them later is dropped, what comes of the others is kept.
        queue.add(batch(10, span: 2))
        #expect(queue.spanCount == 7 && queue.counts.dropped == 3 && queue.counts.cut == 3)
    }

    @Test func `the threshold falls when the queue is empty, dropped traces stay dropped`() {
        let size = SpanQueue.size(batch(1024, span: 1))
        var queue = SpanQueue(limit: size * 3 / 2)
        queue.add(batch(1024, span: 1))
        queue.add(batch(1024, span: 2))
        #expect(queue.threshold > 0)
        let dropped = queue.counts.droppedTraces
        while queue.take() != nil {}
        for span in 3..<60 {
            queue.add(batch(1024, span: UInt64(span)))
            while queue.take() != nil {}
        }
        #expect(queue.threshold == 0)
        #expect(queue.counts.droppedTraces <= dropped + 50)
        #expect(queue.counts.dropped > dropped * 55)
        // Other traces come through again.
        let taken = queue.counts.taken
        queue.add(Sample.many(100, seed: 1))
        while queue.take() != nil {}
        #expect(queue.counts.taken == taken + 100)
    }

    @Test func `a trace that alone is too large is dropped and does no harm`() {
        var queue = SpanQueue(limit: 1000)
        var batch = SpanBatch(operations: Sample.operations)
        batch.spans = (0..<100).map {
            SpanRecord(context: Sample.context(5, $0 + 1), parent: 0, start: 0, end: 0, operation: 1)
        }
        queue.add(batch)
        #expect(queue.isEmpty && queue.counts.dropped == 100 && queue.counts.droppedTraces == 1)
        for seed in 0..<100 { queue.add(Sample.many(2, seed: UInt64(seed))); while queue.take() != nil {} }
        #expect(queue.threshold == 0 && queue.counts.taken > 50)
    }

    func countsOf(taken: Int) -> SpanQueue.Counts {
        var counts = SpanQueue.Counts()
        counts.taken = taken
        return counts
    }

    @Test func `those who make spans are told the threshold, which falls when nothing waits`() {
        var queue = SpanQueue(limit: 5000)
        for seed in 0..<20 { queue.add(Sample.many(20, seed: UInt64(seed))) }
        let high = queue.threshold
        #expect(high > 0)
        let told = queue.threshold(skipped: 7, now: 1000)
        #expect(told == high && queue.counts.skipped == 7)
        while queue.take() != nil {}
        var now: Int64 = 2000
        var last = queue.threshold
        while last > 0 {
            let next = queue.threshold(skipped: 0, now: now)
            let again = queue.threshold(skipped: 0, now: now + 9)
            #expect(next < last && again == next)
            last = next
            now += 10
        }
        #expect(queue.counts.skipped == 7)
    }

    @Test func `what is kept says how much less than all it is`() {
        let size = SpanQueue.size(batch(1024, span: 1))
        var queue = SpanQueue(limit: size * 5 / 2)
        var first = batch(1024, span: 1)
        first.thresholdTracestate = "ot=th:c"
        for index in first.spans.indices {
            let isOwn = index % 2 == 0
            first.spans[index].context.flags |= isOwn ? TraceContext.hasThreshold : TraceContext.hasTracestate
            first.tracestates[TracestateID(first.spans[index].context)] = "v=1,ot=p:3"
        }
        queue.add(first)
        for span in 2...3 { queue.add(batch(1024, span: UInt64(span))) }
        #expect(queue.threshold == 1 << 55)
        let one = InMemorySpanExporter()
        one.export(queue.take() ?? SpanBatch())
        // A quarter was sampled: of the traces above a half, so all of that quarter were kept.
        #expect(Set(one.spans().map(\.tracestate)) == ["ot=th:c", "ot=th:8;p:3,v=1"])
        one.removeAll()
        one.export(queue.take() ?? SpanBatch())
        #expect(Set(one.spans().map(\.tracestate)) == ["ot=th:8"])
        // So does what was not even made.
        var made = batch(1, span: 1)
        made.shedThreshold = 1 << 55
        one.removeAll()
        one.export(made)
        #expect(one.spans().map(\.tracestate) == ["ot=th:8"])
    }
}
