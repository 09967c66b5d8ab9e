#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The few calls for files that a command line needs.
enum FileSystem {
    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The names in a folder, sorted, without those that begin with a dot.
    static func entries(_ path: String) throws(CaseError) -> [String] {
        guard let folder = opendir(path) else { throw CaseError(lastError()) }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    static func read(_ path: String) throws(CaseError) -> [UInt8] {
        guard let file = fopen(path, "rb") else { throw CaseError(lastError()) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            bytes.append(contentsOf: buffer[..<count])
            if count < buffer.count {
                guard ferror(file) == 0 else { throw CaseError(lastError()) }
                return bytes
            }
        }
    }

    static func lastError() -> String { String(cString: strerror(errno)) }
}

extension CaseError {
    func inFile(_ path: String) -> CaseError {
        var error = self
        error.file = path
        return error
    }
}
