import TributaryCore
import TributaryLineage
import TributaryTelemetry

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Contexts, batches and files for the tests of this target.
enum Sample {
    static func context(_ trace: UInt64, _ span: UInt64, flags: UInt8 = 1) -> TraceContext {
        TraceContext(traceHigh: 0xabc, traceLow: trace, span: span, flags: flags)
    }

    static let operations = [
        SpanOperation(
            name: "process orders", kind: .consumer,
            attributes: [
                AttributeNames.messagingSystem: .string("kafka"),
                AttributeNames.messagingDestinationName: .string("orders"),
            ]),
        SpanOperation(
            name: "put counts", kind: .internal, attributes: [AttributeNames.dbCollectionName: .string("counts")]),
        SpanOperation(
            name: "flush counts", kind: .internal, attributes: [AttributeNames.dbCollectionName: .string("counts")]),
    ]

    /// Two records of `orders`, their puts into `counts` in traces of their own, and the flush of both.
    static func count() -> SpanBatch {
        var batch = SpanBatch(operations: operations, topics: ["rates"])
        for record in UInt64(1)...2 {
            var process = SpanRecord(
                context: context(record, record * 10), parent: 0x99, start: Int64(record) * 1_000_000,
                end: Int64(record) * 1_000_000 + 700_000, operation: 0)
            process.flags = SpanRecord.parentIsRemote
            process.partition = 0
            process.offset = Int64(record) + 6
            batch.spans.append(process)
            var put = SpanRecord(
                context: context(record, record * 10 + 1), parent: record * 10, start: Int64(record) * 1_000_000 + 5000,
                end: Int64(record) * 1_000_000 + 17_500, operation: 1)
            if record == 2 {
                put.firstLink = 0
                put.links = 1
                batch.links.append(LinkRecord(.previous, context(1, 11)))
            }
            batch.spans.append(put)
        }
        var flush = SpanRecord(
            context: context(2, 22), parent: 21, start: 9_000_000, end: 9_000_999, operation: 2)
        flush.firstLink = 1
        flush.links = 2
        flush.contributors = 3
        flush.flags = SpanRecord.windowed
        flush.windowStart = 0
        flush.windowEnd = 10
        batch.links.append(LinkRecord(.merged, context(1, 11)))
        var row = LinkRecord(.joined, .none)
        row.topic = 0
        row.partition = 3
        row.offset = 44
        batch.links.append(row)
        batch.spans.append(flush)
        return batch
    }

    /// A batch of `count` spans, one to a trace, with ids that depend on `seed`.
    static func many(_ count: Int, seed: UInt64) -> SpanBatch {
        var random = FastRandom(seed: seed)
        return SpanBatch(
            operations: operations,
            spans: (0..<count).map { index in
                SpanRecord(
                    context: context(random.next(), UInt64(index) + 1), parent: 0, start: Int64(index),
                    end: Int64(index),
                    operation: 1)
            })
    }

    static let resource = TelemetryResource(
        serviceName: "test", attributes: [AttributeNames.testCase: .string("case-1")])

    static func json(_ batch: SpanBatch) -> [UInt8] {
        var writer = ByteWriter()
        OTLPJSON.appendLine(batch, resource: resource, to: &writer)
        return writer.copy()
    }
}

struct FolderFailure: Error {}

/// Calls `body` with the path of a fresh folder, and removes it with the files in it.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    var template = Array("/tmp/tributary-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw FolderFailure() }
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
        for name in files(in: folder) { unlink(folder + "/" + name) }
        rmdir(folder)
    }
    return try body(folder)
}

/// The names of the files in a folder, sorted.
func files(in folder: String) -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
}

/// All bytes of a file; none if it can't be read.
func contents(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = fread(&chunk, 1, chunk.count, file)
        if count == 0 { return bytes }
        bytes.append(contentsOf: chunk[..<count])
    }
}

/// Writes a file.
func write(_ bytes: [UInt8], to path: String) throws {
    guard let file = fopen(path, "w") else { throw FolderFailure() }
    defer { fclose(file) }
    guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw FolderFailure() }
}
