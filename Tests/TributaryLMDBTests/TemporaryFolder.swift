import Glibc

/// A fresh folder that goes with the value, content and all.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/tributary-test-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw POSIXFailure(code: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { removeTree(path) }
}

private func removeTree(_ path: String) {
    if let folder = unsafe opendir(path) {
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        unsafe closedir(folder)
        for name in names { removeTree(path + "/" + name) }
        _ = unsafe rmdir(path)
    } else {
        _ = unsafe unlink(path)
    }
}

struct POSIXFailure: Error { let code: Int32 }
