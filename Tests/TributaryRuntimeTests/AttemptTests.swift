import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryTesting

@testable import TributaryRuntime

/// What spans say of the transaction that they belong to.
@Suite struct AttemptTests {
    private final class Spans: SpanExporter {
        private let batches = Guarded<[SpanBatch]>([])

        func export(_ batch: SpanBatch) { batches.withLock { $0.append(batch) } }
        func flush(timeout: Duration) {}

        /// What became of each `process in`, by offset.
        var attempts: [(offset: Int64, attempt: SpanAttempt)] {
            batches.withLock { batches in
                batches.flatMap { batch in
                    batch.spans.filter { $0.operation >= 0 && batch.operations[Int($0.operation)].name == "process in" }
                        .map { ($0.offset, batch.attempt) }
                }
            }
        }
    }

    private struct Refused: Error {}

    private func topology() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .mapValues { (value: String) throws -> String in
                if value == "bad" { throw Refused() }
                return value
            }
            .to("out", key: .string, value: .string)
        return try builder.build()
    }

    private func run(
        _ world: World, _ spans: Spans, _ guarantee: ProcessingGuarantee, onError: ErrorResponse = .fail
    ) throws -> ThreadUnderTest {
        try ThreadUnderTest(world, topology()) {
            $0.guarantee = guarantee
            $0.commitInterval = .milliseconds(100)
            $0.lineage.exporter = spans
            $0.processingHandler = { _ in onError }
        }
    }

    @Test func `spans of an aborted transaction say so, those of a committed one come with its commit`() throws {
        let world = try World(topics: "in", "out")
        let spans = Spans()
        let first = try run(world, spans, .exactlyOnce)
        try world.send("in", "a", "1", at: 1)
        try first.rounds()
        #expect(spans.attempts.isEmpty)
        try first.pass(milliseconds: 200)
        #expect(spans.attempts.map(\.offset) == [0])
        try world.send("in", "a", "2", at: 2)
        try world.send("in", "a", "bad", at: 3)
        #expect(throws: TaskFailure.self) { try first.rounds() }
        first.crash()
        #expect(spans.attempts.map(\.offset) == [0, 1, 2])
        #expect(spans.attempts.map(\.attempt) == [.committed, .aborted, .aborted])
        let second = try run(world, spans, .exactlyOnce, onError: .continue)
        try second.rounds()
        try second.stop()
        // The same records again: the ones that count are those that don't say `aborted`.
        #expect(spans.attempts.filter { $0.attempt == .committed }.map(\.offset) == [0, 1, 2])
    }

    @Test func `under at-least-once nothing is taken back, and spans don't wait`() throws {
        let world = try World(topics: "in", "out")
        let spans = Spans()
        let thread = try run(world, spans, .atLeastOnce)
        try world.send("in", "a", "1", at: 1)
        try thread.rounds()
        #expect(spans.attempts.map(\.attempt) == [.committed])
        thread.crash()
    }

    @Test func `of a transaction with more spans than can wait the first ones say that it is open`() {
        let spans = Spans()
        let recorder = LineageRecorder(mode: .context, exporter: spans)
        recorder.waitForOutcome()
        let operation = recorder.operation("process in", kind: .consumer)
        func make(_ count: Int) {
            for offset in 0..<count {
                let context = recorder.received(.none, key: nil)
                let origin = RecordOrigin(topic: 0, partition: 0, offset: Int64(offset))
                recorder.end(recorder.begin(operation, parent: context, origin: origin))
            }
            recorder.export()
        }
        make(LineageRecorder.mostHeld)
        #expect(spans.attempts.isEmpty && recorder.handedOver.spans == 0)
        make(1)
        #expect(spans.attempts.count == LineageRecorder.mostHeld + 1)
        #expect(spans.attempts.allSatisfy { $0.attempt == .open })
        make(3)
        recorder.settle(.aborted)
        #expect(spans.attempts.suffix(3).map(\.attempt) == [.aborted, .aborted, .aborted])
        make(2)
        recorder.settle(.committed)
        #expect(spans.attempts.suffix(2).map(\.attempt) == [.committed, .committed])
        #expect(recorder.handedOver.spans == LineageRecorder.mostHeld + 6)
    }
}
