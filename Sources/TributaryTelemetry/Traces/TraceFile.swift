internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// What is wrong with a file of spans, and where.
public struct TraceFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, as far as a caller must tell apart.
    public enum Code: String, Sendable {
        /// The file can't be read.
        case io
        /// The file, or what it decompresses to, is larger than the bound.
        case tooLarge
        /// The file is not gzip, or damaged.
        case gzip
        /// A line is not an OTLP trace request in JSON.
        case malformedLine
    }

    /// What is wrong.
    public let code: Code
    /// The file.
    public let path: String
    /// The line, from 1; nil if it isn't about one.
    public let line: Int?
    /// What is wrong, in words.
    public let message: String

    /// `path:line: message`.
    public var description: String { "\(path)\(line.map { ":\($0)" } ?? ""): \(message)" }
}

/// Files of OTLP JSON lines, as ``OTLPFileExporter`` and collectors write them, plain or gzip.
public enum TraceFile {
    /// The spans of a file, in the order of its lines.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - limit: refuses files that are larger than this, decompressed.
    ///   - skipping: called with each malformed line, which is then left out; without it the first one is thrown.
    public static func read(
        _ path: String, limit: Int = 1 << 30, skipping: ((TraceFileError) -> Void)? = nil
    ) throws(TraceFileError) -> [FinishedSpan] {
        var bytes = try load(path, limit: limit)
        if bytes.count >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b {
            do throws(GzipError) {
                bytes = try Gzip.decompress(bytes, limit: limit)
            } catch {
                if case .tooLarge = error { throw tooLarge(path, limit) }
                throw TraceFileError(code: .gzip, path: path, line: nil, message: "not gzip, or damaged (\(error))")
            }
        }
        return try spans(unsafe bytes.span.bytes, path: path, skipping: skipping)
    }

    /// The spans of the lines in `bytes`; empty lines are skipped.
    public static func spans(
        _ bytes: RawSpan, path: String, skipping: ((TraceFileError) -> Void)? = nil
    ) throws(TraceFileError) -> [FinishedSpan] {
        var spans: [FinishedSpan] = []
        var number = 0
        var start = 0
        while start < bytes.byteCount {
            var end = start
            while end < bytes.byteCount && bytes.byte(at: end) != 0x0a { end += 1 }
            number += 1
            let line = bytes.extracting(start..<end)
            start = end + 1
            if isBlank(line) { continue }
            do throws(OTLPJSONError) {
                spans += try OTLPJSON.spans(ofLine: line)
            } catch {
                let place = error.offset.map { " at byte \($0)" } ?? ""
                let failure = TraceFileError(
                    code: .malformedLine, path: path, line: number, message: "\(error.reason)\(place)")
                guard let skipping else { throw failure }
                skipping(failure)
            }
        }
        return spans
    }

    private static func isBlank(_ line: RawSpan) -> Bool {
        for offset in line.byteOffsets where (line.byte(at: offset) ?? 0) > 0x20 { return false }
        return true
    }

    private static func load(_ path: String, limit: Int) throws(TraceFileError) -> [UInt8] {
        let descriptor = SystemFile.openForReading(path)
        guard descriptor >= 0 else { throw failure(path) }
        defer { _ = close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = SystemFile.readSome(descriptor, &chunk, count: chunk.count, at: bytes.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw failure(path)
            }
            if count == 0 { return bytes }
            guard bytes.count + count <= limit else { throw tooLarge(path, limit) }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    private static func failure(_ path: String) -> TraceFileError {
        let words = unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "can't be read"
        return TraceFileError(code: .io, path: path, line: nil, message: words)
    }

    private static func tooLarge(_ path: String, _ limit: Int) -> TraceFileError {
        TraceFileError(code: .tooLarge, path: path, line: nil, message: "larger than \(limit) bytes")
    }
}
