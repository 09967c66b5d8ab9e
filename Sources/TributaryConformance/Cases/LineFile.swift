#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file that is written line by line; without a path the lines go nowhere.
final class LineFile {
    private let path: String?
    #if canImport(Glibc)
        private var file: UnsafeMutablePointer<_IO_FILE>?
    #else
        private var file: UnsafeMutablePointer<FILE>?
    #endif

    init(_ path: String?) throws(CaseError) {
        self.path = path
        guard let path else { return }
        file = fopen(path, "wb")
        guard file != nil else { throw CaseError(FileSystem.lastError()).inFile(path) }
    }

    deinit { if let file { fclose(file) } }

    func write(_ line: String) throws(CaseError) {
        guard let file, let path else { return }
        let bytes = Array(line.utf8) + [UInt8(ascii: "\n")]
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
            throw CaseError(FileSystem.lastError()).inFile(path)
        }
    }

    /// Ends the file; what could not be written shows here at the latest.
    func close() throws(CaseError) {
        guard let file, let path else { return }
        self.file = nil
        guard fclose(file) == 0 else { throw CaseError(FileSystem.lastError()).inFile(path) }
    }
}
