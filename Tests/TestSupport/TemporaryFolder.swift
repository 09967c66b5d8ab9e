import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A fresh folder that goes with the value, content and all.
package final class TemporaryFolder: Sendable {
    package let path: String
    private let isKept = Atomic(false)

    package init() throws(SystemFailure) {
        var template = Array("\(environment("TMPDIR") ?? "/tmp")/tributary-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemFailure("mkdtemp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Leaves the folder to the caller.
    package func keep() -> String {
        isKept.store(true, ordering: .relaxed)
        return path
    }

    /// Writes a file into the folder and returns its path.
    @discardableResult
    package func file(_ name: String, _ text: String) throws(SystemFailure) -> String {
        try file(name, Array(text.utf8))
    }

    /// Writes a file into the folder and returns its path.
    @discardableResult
    package func file(_ name: String, _ bytes: [UInt8]) throws(SystemFailure) -> String {
        let file = "\(path)/\(name)"
        guard let handle = fopen(file, "w") else { throw SystemFailure(file) }
        let isWritten = fwrite(bytes, 1, bytes.count, handle) == bytes.count
        guard fclose(handle) == 0 && isWritten else { throw SystemFailure(file) }
        return file
    }

    deinit { if !isKept.load(ordering: .relaxed) { removeTree(path) } }
}
