#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A folder that goes with its owner, for the state of one run.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws(CaseError) {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/tributary-conformance-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw CaseError("no temporary folder: \(FileSystem.lastError())") }
        path = template.withUnsafeBytes { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        if FileSystem.isFolder(path) {
            for name in (try? FileSystem.entries(path)) ?? [] { remove("\(path)/\(name)") }
            rmdir(path)
        } else {
            unlink(path)
        }
    }
}
