import Synchronization
import TestSupport
import Testing
import TributaryCore
import TributaryLineage
import TributaryTelemetry

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite(.timeLimit(.minutes(10))) struct OTLPFileExporterTests {
    func exporter(
        _ path: String, bytesPerFile: Int = 1 << 20, files: Int = 3, queueBytes: Int = 1 << 20, log: LogSink = .none
    ) throws -> OTLPFileExporter {
        try OTLPFileExporter(
            .init(path: path, bytesPerFile: bytesPerFile, files: files, queueBytes: queueBytes),
            resource: Sample.resource, log: log)
    }

    @Test func `what is exported is in the file after a flush`() throws {
        let folder = try TemporaryFolder()
        let exporter = try exporter(folder.path + "/spans.jsonl")
        for _ in 0..<10 { exporter.export(Sample.count()) }
        exporter.export(SpanBatch())
        exporter.flush(timeout: .seconds(10))
        #expect(exporter.counters.exported == 50 && exporter.counters.queuedBytes == 0)
        #expect(try TraceFile.read(folder.path + "/spans.jsonl").count == 50)
        exporter.shutdown(timeout: .seconds(10))
        exporter.export(Sample.count())
        #expect(exporter.counters.dropped == 5)
    }

    @Test func `files are rotated and the oldest removed`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/spans.jsonl"
        let exporter = try exporter(path, bytesPerFile: 8000)
        for seed in 0..<40 {
            exporter.export(Sample.many(5, seed: UInt64(seed)))
            exporter.flush(timeout: .seconds(10))
        }
        exporter.shutdown(timeout: .seconds(10))
        #expect(try names(in: folder.path) == ["spans.jsonl", "spans.jsonl.1", "spans.jsonl.2"])
        for name in try names(in: folder.path) {
            #expect(try contents(folder.path + "/" + name).count <= 8000)
            #expect(try TraceFile.read(folder.path + "/" + name).count.isMultiple(of: 5))
        }
        let last = try TraceFile.read(path).last
        #expect(last?.context.traceLow == Sample.many(5, seed: 39).spans.last?.context.traceLow)
    }

    @Test func `a file is continued, without the line that a crash has cut`() throws {
        let folder = try TemporaryFolder()
        let line = Sample.json(Sample.count())
        let path = try folder.file("spans.jsonl", line + line.prefix(100))
        let exporter = try exporter(path)
        exporter.export(Sample.count())
        exporter.shutdown(timeout: .seconds(10))
        #expect(try contents(path) == line + line)
    }

    @Test func `several threads may export at once`() throws {
        let folder = try TemporaryFolder()
        let exporter = try exporter(folder.path + "/spans.jsonl", bytesPerFile: 64 << 20, queueBytes: 64 << 20)
        try concurrently(4) { thread in
            for index in 0..<50 { exporter.export(Sample.many(20, seed: UInt64(thread * 1000 + index))) }
        }
        exporter.shutdown(timeout: .seconds(20))
        #expect(exporter.counters.exported == 4000 && exporter.counters.dropped == 0)
        #expect(try TraceFile.read(folder.path + "/spans.jsonl").count == 4000)
    }

    @Test func `a full queue drops whole traces and counts them`() throws {
        let folder = try TemporaryFolder()
        let messages = Guarded<[String]>([])
        let log = LogSink(level: .info) { message in messages.withLock { $0.append(message.message) } }
        // A pipe that nobody reads holds the thread up until the queue is full.
        let path = folder.path + "/pipe"
        #expect(mkfifo(path, 0o600) == 0)
        let reader = open(path, O_RDWR)
        let exporter = try exporter(path, bytesPerFile: 1 << 30, queueBytes: 100_000, log: log)
        for seed in 0..<100 { exporter.export(Sample.many(100, seed: UInt64(seed))) }
        let full = exporter.counters
        #expect(full.queuedBytes <= 100_000)
        #expect(full.dropped > 5000)
        #expect(full.droppedTraces > 5000 && full.droppedTraces <= full.dropped)
        #expect(full.keptShare < 1)
        // Now it is read to the end.
        let done = Atomic(false)
        let lines = Guarded<[UInt8]>([])
        try concurrently(2) { thread in
            if thread == 0 {
                exporter.shutdown(timeout: .seconds(30))
                done.store(true, ordering: .releasing)
            } else {
                _ = fcntl(reader, F_SETFL, O_NONBLOCK)
                var chunk = [UInt8](repeating: 0, count: 65536)
                while true {
                    let finished = done.load(ordering: .acquiring)
                    let count = read(reader, &chunk, chunk.count)
                    if count > 0 { lines.withLock { $0 += chunk[..<count] } } else if finished { break }
                }
            }
        }
        close(reader)
        let counters = exporter.counters
        #expect(counters.exported + counters.dropped == 10_000 && counters.failed == 0)
        let written = try lines.withLock { try TraceFile.spans($0.span.bytes, path: path) }
        #expect(written.count == counters.exported)
        #expect(
            messages.withLock { $0.first } == "spans come faster than they are written; whole traces are dropped")
    }

    @Test func `a file that can't be opened is refused at once`() {
        #expect(throws: SpanFileError.self) { try exporter("/nowhere/at/all/spans.jsonl") }
    }

    @Test func `errors of writing are counted and reported once`() throws {
        let messages = Guarded<[String]>([])
        let log = LogSink(level: .info) { message in messages.withLock { $0.append(message.message) } }
        let exporter = try exporter("/dev/full", log: log)
        for _ in 0..<3 {
            exporter.export(Sample.count())
            exporter.flush(timeout: .seconds(10))
        }
        exporter.shutdown(timeout: .seconds(10))
        #expect(exporter.counters.errors == 3 && exporter.counters.failed == 15 && exporter.counters.exported == 0)
        #expect(messages.withLock { $0 } == ["spans can't be written and are lost"])
    }
}

/// Calls `body` with 0..<`count` on as many threads and waits for all.
func concurrently(_ count: Int, _ body: @Sendable (Int) throws -> Void) throws {
    try withoutActuallyEscaping(body) { body in
        let threads = (0..<count).map { number in TestThread { try body(number) } }
        for thread in threads { thread.start() }
        for thread in threads { thread.join() }
        for thread in threads { if let error = thread.error { throw error } }
    }
}

private final class TestThread: @unchecked Sendable {
    private let body: @Sendable () throws -> Void
    private var thread = pthread_t()
    private(set) var error: (any Error)?

    init(_ body: @escaping @Sendable () throws -> Void) { self.body = body }

    func start() {
        pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<TestThread>.fromOpaque(context).takeUnretainedValue().run()
                return nil
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func run() {
        do { try body() } catch { self.error = error }
    }

    func join() { pthread_join(thread, nil) }
}
