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

/// Replaces a text in a file by another of the same length.
package func replace(in path: String, _ text: String, by other: String) throws {
    let descriptor = open(path, O_RDWR)
    guard descriptor >= 0 else { throw SystemFailure(path) }
    defer { close(descriptor) }
    var content = [UInt8](repeating: 0, count: 1 << 20)
    let count = read(descriptor, &content, content.count)
    let pattern = Array(text.utf8)
    var found = false
    for start in 0..<max(count - pattern.count, 0) where Array(content[start..<(start + pattern.count)]) == pattern {
        found = true
        let bytes = Array(other.utf8)
        _ = pwrite(descriptor, bytes, bytes.count, start)
    }
    guard found else { throw TestFailure("\(text) is not in \(path)") }
}
