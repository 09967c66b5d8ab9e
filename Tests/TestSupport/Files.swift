#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// All bytes of a file.
package func contents(_ path: String) throws(SystemFailure) -> [UInt8] {
    guard let file = fopen(path, "r") else { throw SystemFailure(path) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = fread(&chunk, 1, chunk.count, file)
        if count == 0 { break }
        bytes += chunk[..<count]
    }
    guard ferror(file) == 0 else { throw SystemFailure(path) }
    return bytes
}

/// The names of what is in a folder, sorted.
package func names(in folder: String) throws(SystemFailure) -> [String] {
    guard let directory = opendir(folder) else { throw SystemFailure(folder) }
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

/// Removes a file, or a folder with all that is in it; links are not followed.
package func removeTree(_ path: String) {
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
        for name in (try? names(in: path)) ?? [] { removeTree("\(path)/\(name)") }
    }
    _ = remove(path)
}
